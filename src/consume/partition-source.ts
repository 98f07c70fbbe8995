/** Reads one partition, with one request at a time, from a position that is kept here. */
import type { ConsumedRecord, PartitionRead, ReadOptions } from "../broker/broker.ts";
import type { TopicPartition, TopicPartitionOffset } from "../broker/positions.ts";
import { asGatewayError, type GatewayError } from "../errors.ts";
import { type Clock, pause } from "../lib/clock.ts";

/** As `Broker.read`. */
export type Read = (from: TopicPartitionOffset, options: ReadOptions) => Promise<PartitionRead>;

export interface PartitionSourceOptions {
  readonly read: Read;
  readonly clock: Clock;
  readonly partition: TopicPartition;
  readonly start: bigint;
  /** Maximum bytes of one read; a single larger record is read alone. */
  readonly maxReadBytes: number;
  readonly handlers: PartitionSourceHandlers;
}

export interface PartitionSourceHandlers {
  /** Records in offset order. */
  readonly onRecords: (records: readonly ConsumedRecord[]) => void;
  /** All records before this offset have been read. */
  readonly onPassed: (offset: bigint) => void;
  /** The partition's leader has answered a read; called after the other handlers. */
  readonly onAnswered: () => void;
  /** The partition doesn't have the offset. Resolves to the offset to continue at. */
  readonly onOutOfRange: (offset: bigint) => Promise<bigint>;
  /** The source goes on by itself. */
  readonly onError: (error: GatewayError) => void;
}

export interface PartitionSource {
  /** When the newest answer of the partition's leader arrived (`Clock.now`); 0: there was no answer yet. */
  readonly answeredAt: number;
  /** Sends no more reads. Records of a read in flight still arrive. */
  pause(): void;
  resume(): void;
  /** The next record is the first one at this offset or behind it. */
  seek(offset: bigint): void;
  /** Calls no handler from now on. */
  close(): void;
}

/** Milliseconds that a read waits for a record. An answer without records is only given if each leader has answered lately. */
const MAX_WAIT_MS = 500;
/** A read does not wait if the leader has not answered within this time: then the first answer comes at once. */
const STALE_MS = 500;
/** Milliseconds before the next read after a fault. */
const FAULT_PAUSE_MS = 250;

export const createPartitionSource = (options: PartitionSourceOptions): PartitionSource => {
  const state = createState(options.start);
  void run(options, state);
  return {
    get answeredAt() {
      return state.answeredAt;
    },
    pause: () => {
      state.paused = true;
    },
    resume: () => {
      state.paused = false;
      state.wake();
    },
    seek: (offset) => {
      state.position = offset;
      state.restart();
    },
    close: () => {
      state.closed = true;
      state.restart();
    },
  };
};

const createState = (position: bigint) => {
  let wake = (): void => undefined;
  const state = {
    position,
    answeredAt: 0,
    paused: false,
    closed: false,
    /** Aborted when the answers to reads that were sent before no longer count. */
    round: new AbortController(),
    wake: () => {
      wake();
    },
    restart: () => {
      state.round.abort();
      state.round = new AbortController();
      wake();
    },
    resumed: (): Promise<void> =>
      new Promise((resolve) => {
        wake = resolve;
      }),
  };
  return state;
};

type State = ReturnType<typeof createState>;

const run = async (options: PartitionSourceOptions, state: State): Promise<void> => {
  while (!state.closed) {
    if (state.paused) await state.resumed();
    else await readOnce(options, state);
  }
};

const readOnce = async (options: PartitionSourceOptions, state: State): Promise<void> => {
  const { signal } = state.round;
  const isOver = (): boolean => signal.aborted;
  try {
    await readFrom(options, state, signal);
  } catch (error) {
    if (isOver()) return;
    const offset = await offsetAfter(asGatewayError(error), options.handlers, state.position);
    if (isOver()) return;
    if (offset === state.position) await pause(options.clock, FAULT_PAUSE_MS, signal);
    else state.position = offset;
  }
};

/** The offset to read from after a fault. */
const offsetAfter = async (
  error: GatewayError,
  { onOutOfRange, onError }: PartitionSourceHandlers,
  position: bigint,
): Promise<bigint> => {
  if (error.code !== "OFFSET_OUT_OF_RANGE") {
    onError(error);
    return position;
  }
  try {
    return await onOutOfRange(position);
  } catch (fault) {
    onError(asGatewayError(fault));
    return position;
  }
};

const readFrom = async (
  { read, clock, partition, maxReadBytes, handlers }: PartitionSourceOptions,
  state: State,
  signal: AbortSignal,
): Promise<void> => {
  const from = { ...partition, offset: state.position };
  const maxWaitMs = clock.now() - state.answeredAt < STALE_MS ? MAX_WAIT_MS : 0;
  const { records, next } = await read(from, { maxBytes: maxReadBytes, maxWaitMs, signal });
  if (signal.aborted) return;
  state.answeredAt = clock.now();
  state.position = next;
  if (records.length > 0) handlers.onRecords(records);
  const last = records.at(-1)?.offset ?? from.offset - 1n;
  if (next > last + 1n) handlers.onPassed(next);
  handlers.onAnswered();
};
