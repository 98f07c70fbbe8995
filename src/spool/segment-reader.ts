/** Reads one segment from its cursor on, and marks its events as done. */
import { type Entry, nextWhole, readEntry, State, STATE_AT } from "./entry.ts";
import type { SpoolFile } from "./files.ts";
import { HEAD_BYTES, type Marks, readHead, writeMarks } from "./segment.ts";

/** An event that was read and is not done. */
export interface SpooledEvent {
  readonly entry: Entry;
  /** True: Kafka may still acknowledge the first append. */
  isOpen: boolean;
  /** Bytes in the segment. */
  readonly bytes: number;
  isDone: boolean;
}

export interface Damage {
  readonly at: number;
  readonly bytes: number;
  /** True: a torn write at the end. False: there are whole events behind the damaged bytes. */
  readonly isTail: boolean;
}

interface Read {
  readonly at: number;
  readonly event: SpooledEvent;
  isMarked: boolean;
}

export const openSegmentReader = async (
  file: SpoolFile,
  onDamage: (damage: Damage) => void,
): Promise<SegmentReader> => {
  const size = await file.size();
  const head = await readHead(file);
  const cursor = Math.min(head.cursor, Math.max(HEAD_BYTES, size));
  return new SegmentReader(file, { ...head, cursor }, onDamage);
};

export class SegmentReader {
  readonly #file: SpoolFile;
  readonly #onDamage: (damage: Damage) => void;
  /** As they are in the file. */
  #marks: Marks;
  #passed: number;
  /** Position behind the last event that was read. */
  #position: number;
  /** The events that were read from the cursor on, in order. */
  #reads: Read[] = [];
  /** Damage before this position was reported. */
  #reported = 0;

  constructor(file: SpoolFile, marks: Marks, onDamage: (damage: Damage) => void) {
    this.#file = file;
    this.#onDamage = onDamage;
    this.#marks = marks;
    this.#passed = marks.passed;
    this.#position = marks.cursor;
  }

  /** All events that were read are done. */
  get isDone(): boolean {
    return this.#reads.every(({ event }) => event.isDone);
  }

  /**
   * Reads the next events that are not done, at most about `maxBytes`. The list is empty if the segment has no such event now.
   * A sealed segment gets no further event: a torn write at its end is reported.
   */
  async read(maxBytes: number, isSealed: boolean): Promise<readonly SpooledEvent[]> {
    for (let length = maxBytes; ;) {
      const before = this.#position;
      const bytes = await this.#file.read(before, length);
      const { events, isShort } = this.#parse(bytes);
      if (events.length > 0) return events;
      // The chunk ends inside an event.
      if (isShort && bytes.length === length) length *= this.#position === before ? 2 : 1;
      else if (!(await this.#skip(isSealed))) return [];
    }
  }

  /** Looks again whether the event is open, if the event is in this segment. */
  async look(event: SpooledEvent): Promise<void> {
    const read = this.#reads.find((other) => other.event === event);
    if (read === undefined) return;
    const [state] = await this.#file.read(read.at + STATE_AT, 1);
    event.isOpen = state === State.OPEN;
    event.isDone ||= state === State.DONE;
  }

  /** Forgets the events that `mark` has kept, so that `read` returns them again. Call `mark` before. */
  rewind(): void {
    this.#position = this.#reads[0]?.at ?? this.#position;
    this.#reads = [];
  }

  /** Writes down which events are done. */
  async mark(): Promise<void> {
    const first = this.#reads.findIndex(({ event }) => !event.isDone);
    this.#passed += this.#reads.splice(0, first < 0 ? this.#reads.length : first).length;
    const cursor = this.#reads[0]?.at ?? this.#position;
    const done = this.#passed + this.#reads.filter(({ event }) => event.isDone).length;
    if (cursor > this.#marks.cursor || done > this.#marks.done) {
      const marks = { cursor, passed: this.#passed, done };
      await writeMarks(this.#file, marks);
      this.#marks = marks;
    }
    for (const read of this.#reads) {
      if (!read.event.isDone || read.isMarked) continue;
      await this.#file.write(Buffer.from([State.DONE]), read.at + STATE_AT);
      read.isMarked = true;
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** Parses bytes that begin at the position. Stops at an event that is not whole. */
  #parse(bytes: Buffer): { readonly events: readonly SpooledEvent[]; readonly isShort: boolean } {
    const events: SpooledEvent[] = [];
    let at = 0;
    let result = readEntry(bytes, at);
    for (; result.kind === "entry"; result = readEntry(bytes, at)) {
      const { entry, state, end } = result;
      const isDone = state === State.DONE;
      const event = { entry, isOpen: state === State.OPEN, bytes: end - at, isDone };
      this.#reads.push({ at: this.#position + at, event, isMarked: isDone });
      if (!isDone) events.push(event);
      at = end;
    }
    this.#position += at;
    return { events, isShort: result.kind === "short" };
  }

  /** Goes from damaged or unfinished bytes to the next whole event. False: no whole event follows. */
  async #skip(isSealed: boolean): Promise<boolean> {
    const size = await this.#file.size();
    if (this.#position >= size) return false;
    const rest = await this.#file.read(this.#position, size - this.#position);
    const next = nextWhole(rest);
    // The writer has finished the event meanwhile.
    if (next === 0) return true;
    if (next === undefined) {
      if (isSealed) this.#report({ at: this.#position, bytes: rest.length, isTail: true });
      return false;
    }
    this.#report({ at: this.#position, bytes: next, isTail: false });
    this.#position += next;
    return true;
  }

  #report(damage: Damage): void {
    if (damage.at < this.#reported) return;
    this.#reported = damage.at + damage.bytes;
    this.#onDamage(damage);
  }
}
