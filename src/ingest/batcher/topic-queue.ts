/** The appends to one topic: one append is in flight, and meanwhile the calls for the next one are collected. */
import type { AppendOutcome, Broker, BrokerRecord } from "../../broker/broker.ts";
import { recordBytes } from "../../broker/record-bytes.ts";
import { GatewayError } from "../../errors.ts";
import {
  answer,
  type Chunk,
  type ChunkLimits,
  expire,
  failEach,
  gather,
  isStopped,
  type Pending,
} from "./pending.ts";

/**
 * Detects a standing queue, after CoDel (RFC 8289). The length of a queue does not show overload, and one long wait may be an
 * exception. But if every append of a whole interval contains a call that has waited long, more calls arrive than leave, and a
 * new call would only wait until its deadline.
 */
interface StandingQueue {
  /** An append has taken calls from the queue. `waitedMs` is the longest of their waits, in milliseconds. */
  cameThrough(waitedMs: number): void;
  /**
   * True if the queue stands. Stays false while no call leaves the queue, because the broker may recover before the deadlines.
   */
  stands(): boolean;
}

interface StandingQueueOptions {
  /** Milliseconds. The queue stands if `cameThrough` got only longer waits for this time. */
  readonly longestWaitMs: number;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
}

export const createStandingQueue = ({ longestWaitMs, now }: StandingQueueOptions): StandingQueue => {
  let slowSince: number | undefined;
  let stands = false;
  return {
    cameThrough: (waitedMs) => {
      if (waitedMs <= longestWaitMs) slowSince = undefined;
      else slowSince ??= now();
      stands = slowSince !== undefined && now() - slowSince >= longestWaitMs;
    },
    stands: () => stands,
  };
};

interface TopicQueueOptions extends ChunkLimits {
  readonly broker: Pick<Broker, "append">;
  /** Milliseconds, as in `StandingQueueOptions`. */
  readonly longestWaitMs: number;
  /** Called when an append has settled, with its duration in seconds and its number of records. */
  readonly appendObserved?: ((seconds: number, records: number) => void) | undefined;
  /** Called when `bytes` are neither waiting nor in flight any more. */
  readonly onFreed: (bytes: number) => void;
  /** Called when no call waits or is in flight. The queue is not used again. */
  readonly onIdle: () => void;
}

/** Calls with the same object reach the broker one after the other, for example the calls of a stream. */
export type Order = object;

export interface TopicQueue {
  /** More calls arrive than leave, so a new call would wait for a long time. */
  isOverloaded(): boolean;
  add(pending: Pending, order?: Order): void;
  /** Fails all calls with `late` as at their deadline, in their order. Their records that wait are not sent. */
  withdraw(): void;
}

/** Milliseconds. An event may fail this long after its deadline, because in an outage each sweep visits every waiting call. */
const SWEEP_MS = 10;

/** Milliseconds: more than the event loop of a busy gateway needs for several hundred requests. */
const LONGEST_GATHERING_MS = 5;

export const createTopicQueue = (topic: string, options: TopicQueueOptions): TopicQueue => {
  const lastOf = new WeakMap<Order, Pending>();
  const queue = createStandingQueue({ longestWaitMs: options.longestWaitMs, now: () => performance.now() });
  let waiting: Pending[] = [];
  let inFlight: Chunk | undefined;
  let running = false;
  let sweeper: NodeJS.Timeout | undefined;

  const run = async (): Promise<void> => {
    while (await gathered(() => waiting.length, options.maxAppendRecords)) {
      inFlight = gather(waiting, options);
      queue.cameThrough(longestWait(inFlight));
      const outcomes = await send(topic, inFlight.records, options);
      options.onFreed(inFlight.bytes);
      answerAll(inFlight, outcomes);
      const hasStopped = callsOf(inFlight).some(isStopped);
      inFlight = undefined;
      if (hasStopped) expireAll(isStopped);
    }
    clearTimeout(sweeper);
    options.onIdle();
  };

  const expireAll = (isOver: (pending: Pending) => boolean): void => {
    const isOpenAndOver = (pending: Pending): boolean => !pending.settled && isOver(pending);
    for (const pending of waiting.filter(isOpenAndOver)) {
      options.onFreed(bytesNotTaken(pending));
      expire(pending);
    }
    for (const pending of callsOf(inFlight)) if (isOpenAndOver(pending)) expire(pending);
    waiting = waiting.filter(({ settled }) => !settled);
  };

  const sweep = (): void => {
    const now = performance.now();
    expireAll(({ deadline }) => deadline <= now);
    schedule(now);
  };

  const schedule = (now: number): void => {
    const open = [...waiting, ...callsOf(inFlight)].filter(({ settled }) => !settled);
    const next = open.reduce((earliest, { deadline }) => Math.min(earliest, deadline), Infinity);
    sweeper = next === Infinity ? undefined : setTimeout(sweep, Math.max(SWEEP_MS, Math.ceil(next - now)));
  };

  return {
    isOverloaded: () => queue.stands(),
    add: (pending, order) => {
      if (order !== undefined) {
        pending.after = lastOf.get(order);
        lastOf.set(order, pending);
      }
      waiting.push(pending);
      sweeper ??= setTimeout(sweep, Math.ceil(pending.deadline - performance.now()));
      if (running) return;
      running = true;
      void run();
    },
    withdraw: () => {
      expireAll(({ late }) => late !== undefined);
    },
  };
};

/**
 * Waits until a turn of the event loop brings no further call, and returns true if a call waits. On an idle gateway the
 * turn ends at once. On a busy gateway each turn brings more calls, and one append costs as much as ten events.
 */
const gathered = async (waiting: () => number, enough: number): Promise<boolean> => {
  const latest = performance.now() + LONGEST_GATHERING_MS;
  let before = 0;
  while (before < waiting() && waiting() < enough && performance.now() < latest) {
    before = waiting();
    await nextTurn();
  }
  return waiting() > 0;
};

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const send = async (
  topic: string,
  records: readonly BrokerRecord[],
  { broker, appendObserved }: TopicQueueOptions,
): Promise<readonly AppendOutcome[]> => {
  const began = performance.now();
  try {
    return await broker.append(topic, records);
  } catch (cause) {
    // The port never rejects. If an adapter does, the outcome of these records is unknown.
    return failEach(records, new GatewayError("BROKER_AMBIGUOUS", { cause }));
  } finally {
    appendObserved?.((performance.now() - began) / 1000, records.length);
  }
};

/** The longest wait of the calls whose first records are in the chunk: a large call needs several appends in any case. */
const longestWait = ({ parts }: Chunk): number => {
  const now = performance.now();
  return parts.reduce(
    (longest, { pending, from }) => (from === 0 ? Math.max(longest, now - pending.arrived) : longest),
    0,
  );
};

const callsOf = (chunk: Chunk | undefined): readonly Pending[] =>
  (chunk?.parts ?? []).map(({ pending }) => pending);

const answerAll = ({ parts }: Chunk, outcomes: readonly AppendOutcome[]): void => {
  let offset = 0;
  for (const part of parts) {
    answer(part, outcomes, offset);
    offset += part.count;
  }
};

const bytesNotTaken = ({ records, taken }: Pending): number => {
  let bytes = 0;
  for (let i = taken; i < records.length; i++) {
    const record = records[i];
    if (record !== undefined) bytes += recordBytes(record);
  }
  return bytes;
};
