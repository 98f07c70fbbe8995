/** Writes the events of one topic to the segments of one folder. While one group is written and flushed, the next one gathers. */
import type { BrokerRecord } from "../broker/broker.ts";
import { GatewayError } from "../errors.ts";
import { errnoOf } from "../lib/file-system.ts";
import { entryBytes, type EntryState, State, STATE_AT, writeEntry } from "./entry.ts";
import type { SpoolFile, SpoolFiles } from "./files.ts";
import type { Room } from "./room.ts";
import { createSegment, HEAD_BYTES, writeCount } from "./segment.ts";

export interface NewEvent {
  readonly record: BrokerRecord;
  readonly id?: Buffer | undefined;
  /** Kafka may still acknowledge the first append. The event is not drained before `Place.settle`. */
  readonly isOpen: boolean;
}

/** Where an event is on the disk. */
export interface Place {
  /** Ends the time in which the event is open. `isStored`: Kafka has acknowledged the first append. */
  settle(isStored: boolean): void;
}

export interface TopicWriter {
  /**
   * Resolves when the events are on the disk, to one place for each. Rejects with BROKER_UNAVAILABLE if they are not stored,
   * because the spool or the disk is full, and with BROKER_AMBIGUOUS after any other fault.
   */
  append(events: readonly NewEvent[]): Promise<readonly Place[]>;
  /** Later events go to a new segment. Must not be called while a write is in flight. */
  seal(): void;
  /** Resolves when no write is in flight. */
  close(): Promise<void>;
}

export interface TopicWriterOptions {
  /** The topic's directory in the folder. */
  readonly directory: string;
  readonly files: SpoolFiles;
  readonly room: Room;
  /** A segment that is longer gets no further group. */
  readonly segmentBytes: number;
  /** Microseconds of a monotonic clock that all processes of the pod share. */
  readonly stamp: () => number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Called when the disk did not take this number of bytes. */
  readonly onUnwritten: (bytes: number) => void;
}

/** One call of `append`. */
interface Part {
  readonly events: readonly NewEvent[];
  readonly stamp: number;
  readonly time: number;
  readonly bytes: number;
  readonly resolve: (places: readonly Place[]) => void;
  readonly reject: (error: GatewayError) => void;
}

/** A group ends above this number of bytes, so that one flush does not take too long. */
const GROUP_BYTES = 8 * 1024 * 1024;

const full = (cause: string): GatewayError => new GatewayError("BROKER_UNAVAILABLE", { cause });

const isDiskFull = (error: unknown): boolean => ["ENOSPC", "EDQUOT", "EFBIG"].includes(errnoOf(error) ?? "");

const failureOf = (cause: unknown): GatewayError =>
  new GatewayError(isDiskFull(cause) ? "BROKER_UNAVAILABLE" : "BROKER_AMBIGUOUS", { cause });

export const createTopicWriter = (options: TopicWriterOptions): TopicWriter => {
  const { room, stamp, now, onUnwritten } = options;
  const waiting: Part[] = [];
  let running: Promise<void> | undefined;
  let segment: OpenSegment | undefined;
  let nextSeq = 1;

  const seal = (): void => {
    segment?.seal();
    segment = undefined;
  };

  const segmentFor = async (first: number, bytes: number): Promise<OpenSegment> => {
    if (segment !== undefined && segment.end > options.segmentBytes) seal();
    try {
      segment ??= await openSegment(options, first);
      return segment;
    } catch (error) {
      room.give(bytes);
      throw error;
    }
  };

  const writeGroup = async (group: readonly Part[]): Promise<void> => {
    const bytes = group.reduce((sum, part) => sum + part.bytes, 0);
    const first = nextSeq;
    nextSeq += group.reduce((sum, { events }) => sum + events.length, 0);
    try {
      const places = await (await segmentFor(first, bytes)).write(group, first);
      let from = 0;
      for (const { events, resolve } of group) resolve(places.slice(from, (from += events.length)));
    } catch (error) {
      // The reader may have read bytes of the failed group, so nothing is ever written over them.
      seal();
      onUnwritten(bytes);
      for (const { reject } of group) reject(failureOf(error));
    }
  };

  const run = async (): Promise<void> => {
    while (waiting.length > 0) {
      const group = await withRoom(waiting.splice(0, amountOf(waiting)), options);
      if (group.length > 0) await writeGroup(group);
    }
    running = undefined;
  };

  return {
    append: (events) => {
      const bytes = events.reduce((sum, event) => sum + entryBytes(event), 0);
      return new Promise((resolve, reject) => {
        waiting.push({ events, bytes, stamp: stamp(), time: now(), resolve, reject });
        // Starts in a microtask, so that calls of one turn are written together.
        running ??= Promise.resolve().then(run);
      });
    },
    seal,
    close: async () => {
      await running;
      seal();
    },
  };
};

/** The calls of a group for which the spool has room. The others fail. */
const withRoom = async (
  group: readonly Part[],
  { room, directory }: TopicWriterOptions,
): Promise<readonly Part[]> => {
  const taken: Part[] = [];
  for (const part of group) {
    const isTaken = room.take(part.bytes);
    if (typeof isTaken === "boolean" ? isTaken : await isTaken) taken.push(part);
    else part.reject(full(`the spool is full (${directory})`));
  }
  return taken;
};

/** The number of waiting calls for the next group: at least one. */
const amountOf = (waiting: readonly Part[]): number => {
  let bytes = 0;
  const over = waiting.findIndex((part) => (bytes += part.bytes) > GROUP_BYTES);
  return over < 0 ? waiting.length : Math.max(1, over);
};

interface OpenSegment {
  readonly end: number;
  /** Resolves when the group is on the disk. */
  write(group: readonly Part[], firstSeq: number): Promise<readonly Place[]>;
  /** Nothing is written to it any more. The file closes when no event is open. */
  seal(): void;
}

const openSegment = async (
  { files, directory, room }: TopicWriterOptions,
  firstSeq: number,
): Promise<OpenSegment> => {
  const file = await createSegment(files, directory, firstSeq);
  room.found(HEAD_BYTES);
  let end = HEAD_BYTES;
  let count = 0;
  let open = 0;
  let isSealed = false;

  const closeIfDone = (): void => {
    if (isSealed && open === 0) void file.close().catch(() => undefined);
  };

  const placeAt = (at: number, isOpen: boolean): Place => {
    if (!isOpen) return { settle: () => undefined };
    open++;
    let isSettled = false;
    return {
      settle: (isStored) => {
        if (isSettled) return;
        isSettled = true;
        const state: EntryState = isStored ? State.DONE : State.KEPT;
        // Not flushed: a kill of the process does not undo it, and after a loss of power the event is sent again.
        const changed = file.write(Buffer.from([state]), at + STATE_AT);
        void changed
          .catch(() => undefined)
          .then(() => {
            open--;
            closeIfDone();
          });
      },
    };
  };

  return {
    get end() {
      return end;
    },
    write: async (group, seq) => {
      const { bytes, starts } = encode(group, seq, end);
      try {
        await file.write(bytes, end);
        await file.sync();
      } catch (error) {
        await shorten(file, { end, bytes: bytes.length, room });
        throw error;
      }
      end += bytes.length;
      count += starts.length;
      // Only metrics need it.
      await writeCount(file, count).catch(() => undefined);
      let at = 0;
      return group.flatMap(({ events }) => events.map(({ isOpen }) => placeAt(starts[at++] ?? 0, isOpen)));
    },
    seal: () => {
      isSealed = true;
      closeIfDone();
    },
  };
};

const encode = (
  group: readonly Part[],
  firstSeq: number,
  from: number,
): { readonly bytes: Buffer; readonly starts: readonly number[] } => {
  const bytes = Buffer.allocUnsafe(group.reduce((sum, part) => sum + part.bytes, 0));
  const starts: number[] = [];
  let at = 0;
  for (const { events, stamp, time } of group)
    for (const { record, id, isOpen } of events) {
      const seq = firstSeq + starts.length;
      starts.push(from + at);
      at = writeEntry(bytes, at, { seq, stamp, time, record, id }, isOpen ? State.OPEN : State.KEPT);
    }
  return { bytes, starts };
};

interface Failed {
  readonly end: number;
  readonly bytes: number;
  readonly room: Room;
}

/** Removes what a failed write has left, if the file system lets it. The reader skips what is left. */
const shorten = async (file: SpoolFile, { end, bytes, room }: Failed): Promise<void> => {
  await file.truncate(end).catch(() => undefined);
  const size = await file.size().catch(() => end + bytes);
  room.give(bytes - Math.max(0, size - end));
};
