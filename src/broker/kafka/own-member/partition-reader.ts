/** Reads one assigned partition, one read after the other, and passes the records on. */
import { asGatewayError, GatewayError } from "../../../errors.ts";
import { pause, systemClock } from "../../../lib/clock.ts";
import type { Broker, PartitionRead, SubscriptionHandlers, TopicPartition } from "../../broker.ts";

export interface PartitionReaderParts {
  readonly partition: TopicPartition;
  readonly read: Broker["read"];
  readonly maxBytes: number;
  readonly handlers: Pick<SubscriptionHandlers, "onRecords" | "onPassed">;
  /** The offset doesn't exist. Resolves to the offset to continue at; undefined: the topic has changed. */
  readonly onOutOfRange: () => Promise<bigint | undefined>;
  readonly onUnknown: () => Promise<boolean>;
  readonly onError: (error: GatewayError) => void;
}

export interface PartitionReader extends TopicPartition {
  /** `begin` or `seek` was called. */
  readonly hasBegun: boolean;
  /** Nothing is read before `begin` or `seek`. Ignored after one of them. */
  begin(offset: bigint): void;
  seek(offset: bigint): void;
  pause(): void;
  resume(): void;
  /** Ends the reader. No handler is called any more. */
  stop(): void;
  readonly signal: AbortSignal;
}

/** Milliseconds that a read waits for a record. */
const MAX_WAIT_MS = 500;
/** Milliseconds between two reads after a fault. A read repeats its request itself until its timeout. */
const AGAIN_MS = 250;

/** Ends a read that is not wanted any more: not a fault of the broker, so the leader's address stays known. */
const UNWANTED = new GatewayError("BROKER_UNAVAILABLE", { cause: "the read is not wanted any more" });

interface State extends PartitionReaderParts {
  next: bigint | undefined;
  isPaused: boolean;
  isRunning: boolean;
  /** The present read. Replaced when the read is not wanted any more. */
  turn: AbortController;
  readonly stopped: AbortController;
}

const interrupt = ({ turn }: State): void => {
  turn.abort(UNWANTED);
};

const take = (state: State, from: bigint, { records, next: after }: PartitionRead): void => {
  const { partition, handlers, stopped } = state;
  const last = records.at(-1);
  state.next = after;
  if (last !== undefined) handlers.onRecords(records);
  const passed = last === undefined ? from : last.offset + 1n;
  // The handler may have sought another offset, or left the group.
  if (after > passed && state.next === after && !stopped.signal.aborted)
    handlers.onPassed?.({ ...partition, offset: after });
};

/** Never rejects. */
const recover = async (state: State, cause: unknown, signal: AbortSignal): Promise<void> => {
  const failure = asGatewayError(cause);
  if (failure.code === "OFFSET_OUT_OF_RANGE") {
    const low = await state.onOutOfRange().catch((error: unknown) => {
      state.onError(asGatewayError(error));
      return undefined;
    });
    if (low !== undefined && !signal.aborted) state.next = low;
    if (low !== undefined) return;
  } else if (failure.code !== "PARTITION_UNKNOWN" || !(await state.onUnknown())) state.onError(failure);
  await pause(systemClock, AGAIN_MS, state.stopped.signal);
};

const canRead = ({ isPaused, stopped, next }: State): boolean =>
  !isPaused && !stopped.signal.aborted && next !== undefined;

const run = async (state: State): Promise<void> => {
  const { partition, read, maxBytes } = state;
  while (canRead(state)) {
    state.turn = new AbortController();
    const { signal } = state.turn;
    const offset = state.next ?? 0n;
    try {
      const found = await read({ ...partition, offset }, { maxBytes, maxWaitMs: MAX_WAIT_MS, signal });
      if (!signal.aborted) take(state, offset, found);
    } catch (error) {
      if (!signal.aborted) await recover(state, error, signal);
    }
  }
  state.isRunning = false;
};

const go = (state: State): void => {
  if (state.isRunning || !canRead(state)) return;
  state.isRunning = true;
  void run(state);
};

export const createPartitionReader = (parts: PartitionReaderParts): PartitionReader => {
  const state: State = {
    ...parts,
    next: undefined,
    isPaused: false,
    isRunning: false,
    turn: new AbortController(),
    stopped: new AbortController(),
  };

  return {
    ...parts.partition,
    signal: state.stopped.signal,
    get hasBegun() {
      return state.next !== undefined;
    },
    begin: (offset) => {
      state.next ??= offset;
      go(state);
    },
    seek: (offset) => {
      state.next = offset;
      interrupt(state);
      go(state);
    },
    pause: () => {
      state.isPaused = true;
      interrupt(state);
    },
    resume: () => {
      state.isPaused = false;
      go(state);
    },
    stop: () => {
      state.stopped.abort();
      interrupt(state);
    },
  };
};
