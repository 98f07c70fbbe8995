import type { AppendOutcome, Broker, BrokerRecord } from "../../broker/broker.ts";
import { recordBytes } from "../../broker/record-bytes.ts";
import { GatewayError } from "../../errors.ts";
import { answer, type Chunk, type ChunkLimits, expire, failEach, gather, type Pending } from "./pending.ts";

/**
 * Tells a queue that stands from one that comes and goes, after CoDel (RFC 8289): the length says nothing, and one
 * long wait may be a hiccup. When nobody has come through soon for a while, more is coming than goes out, and who
 * still joins only waits for its time to run out.
 */
interface StandingQueue {
  /** Somebody has come through, after so many milliseconds. */
  cameThrough(waitedMs: number): void;
  /** A queue that doesn't move at all isn't standing: whatever holds it up may be over in time. */
  readonly stands: boolean;
}

interface StandingQueueOptions {
  /** Longer waits than this, for as long as this: the queue stands. In milliseconds. */
  readonly longestWaitMs: number;
  /** Milliseconds of a clock that never jumps. */
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
    get stands() {
      return stands;
    },
  };
};

/** The appends to one topic: one in flight, the next one gathering meanwhile. */

interface TopicQueueOptions extends ChunkLimits {
  readonly broker: Pick<Broker, "append">;
  /** Milliseconds; calls that wait longer, and no shorter ones between them, make an overload. */
  readonly longestWaitMs: number;
  /** One append that has settled: how long it took and what it carried. */
  readonly appendObserved?: ((seconds: number, records: number) => void) | undefined;
  /** So many bytes no longer wait nor are in flight. */
  readonly onFreed: (bytes: number) => void;
  /** Nothing waits, nothing is in flight; the lane isn't used again. */
  readonly onIdle: () => void;
}

/** Ties calls together that must reach the broker one after the other: a stream's. Known by its identity. */
export type Order = object;

export interface TopicQueue {
  /** More comes than goes out: who joins now waits for long, and makes it longer. */
  readonly isOverloaded: boolean;
  add(pending: Pending, order?: Order): void;
}

/** An event may fail so many milliseconds after its deadline; in an outage each sweep looks at everyone who waits. */
const SWEEP_MS = 10;

/** More than the loop of a busy gateway needs for some hundred requests. */
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
      inFlight = undefined;
    }
    clearTimeout(sweeper);
    options.onIdle();
  };

  const sweep = (): void => {
    const now = performance.now();
    const late = ({ deadline, settled }: Pending): boolean => !settled && deadline <= now;
    for (const pending of waiting.filter(late)) {
      options.onFreed(bytesNotTaken(pending));
      expire(pending);
    }
    for (const { pending } of inFlight?.parts ?? []) if (late(pending)) expire(pending);
    waiting = waiting.filter(({ settled }) => !settled);
    schedule(now);
  };

  const schedule = (now: number): void => {
    const open = [...waiting, ...(inFlight?.parts ?? []).map(({ pending }) => pending)].filter(
      (p) => !p.settled,
    );
    const next = open.reduce((earliest, { deadline }) => Math.min(earliest, deadline), Infinity);
    sweeper = next === Infinity ? undefined : setTimeout(sweep, Math.max(SWEEP_MS, Math.ceil(next - now)));
  };

  return {
    get isOverloaded() {
      return queue.stands;
    },
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
  };
};

/**
 * Tells whether there are any, once a turn of the event loop has brought no more: an idle gateway's loop turns at once
 * and brings nobody, a busy one's brings more with each turn, and an append costs as much as ten events.
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
    // The port never rejects; were an adapter to break that, nothing would be known of these records.
    return failEach(records, new GatewayError("BROKER_AMBIGUOUS", { cause }));
  } finally {
    appendObserved?.((performance.now() - began) / 1000, records.length);
  }
};

/** Of those whose turn has come for the first time: a large call takes several turns by itself. */
const longestWait = ({ parts }: Chunk): number => {
  const now = performance.now();
  return parts.reduce(
    (longest, { pending, from }) => (from === 0 ? Math.max(longest, now - pending.arrived) : longest),
    0,
  );
};

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
