/**
 * Groups concurrent produces into one append (group commit). While an append to a topic is in flight, the calls for the next
 * one are collected. No timer delays an event: an idle topic appends at once, and appends grow with the load. Topics do not
 * wait for each other.
 */
import type { AppendOutcome, Broker, BrokerRecord } from "../../broker/broker.ts";
import { recordBytes } from "../../broker/record-bytes.ts";
import { GatewayError } from "../../errors.ts";
import { type ChunkLimits, createPending, failEach, type Late, type Pending } from "./pending.ts";
import { createTopicQueue, type TopicQueue, type Order } from "./topic-queue.ts";

export interface BatcherOptions extends ChunkLimits {
  readonly broker: Pick<Broker, "append" | "isLost">;
  /** Milliseconds from arrival after which an event that isn't stored fails. */
  readonly deliveryTimeoutMs: number;
  /** Maximum bytes of all records that wait or are in flight, over all topics, record overhead included. */
  readonly maxBufferedBytes: number;
  /**
   * Milliseconds, default 1000. An append is slow if one of its calls waited longer than this time. If all
   * appends of a topic were slow during at least this time, new calls of the topic get OVERLOADED.
   */
  readonly longestWaitMs?: number;
  /** Called when an append has settled, with its duration in seconds and its number of records. */
  readonly appendObserved?: (seconds: number, records: number) => void;
}

export interface Batcher {
  /**
   * Stores records of one topic. Never rejects: resolves with one outcome per record, in order. The caller must not change
   * the array until then. The records reach the broker in their order, even over several appends. Calls with the same
   * `order` object reach the broker in the order of the calls.
   *
   * Failures, beside those of the broker:
   * - OVERLOADED, at once: the buffer can't take the whole call (a call larger than the buffer is possible if the buffer is
   *   empty), or more calls arrive at the topic than leave it.
   * - SHUTTING_DOWN.
   * - BROKER_UNAVAILABLE: the broker did not get the record before the deadline, or at once while it is lost.
   * - BROKER_AMBIGUOUS: the broker got the record and did not answer before the deadline. The append may still settle; the
   *   topic's next append waits for it.
   */
  append(topic: string, records: readonly BrokerRecord[], order?: Order): Promise<readonly AppendOutcome[]>;
  /**
   * As `append`, for a caller that sends failed records again: if the call needs several appends, none follows the one with a failed
   * record. The records behind it fail with BROKER_UNAVAILABLE.
   */
  appendInOrder(topic: string, records: readonly BrokerRecord[]): Promise<readonly AppendOutcome[]>;
  /** As `append`, with a callback instead of a promise. */
  watch(topic: string, records: readonly BrokerRecord[], call: BatcherCall): void;
  /**
   * Ends all watched calls of the topic that have `late`, in their order: BROKER_UNAVAILABLE for records that the broker has not got,
   * which are not sent any more, and IN_FLIGHT for the others.
   */
  withdraw(topic: string): void;
  /** Bytes of records that wait or are in flight now. */
  readonly bufferedBytes: number;
  /** Takes no new calls. Resolves when every call has its outcomes and no append is in flight. */
  close(): Promise<void>;
}

export interface BatcherCall {
  readonly order?: Order | undefined;
  /** Gets the outcomes, possibly before `watch` returns. Must not throw. */
  readonly ended: (outcomes: readonly AppendOutcome[]) => void;
  /** Gets the outcomes of the records whose outcome was IN_FLIGHT (`pending.ts`). undefined: the call can't be withdrawn. */
  readonly late?: Late | undefined;
}

/** A call that can be withdrawn. */
export type WatchedCall = BatcherCall & { readonly late: Late };

type EnteringCall = BatcherCall & Partial<Pick<Pending, "inOrder">>;

type Records = readonly BrokerRecord[];

const bytesOf = (records: Records): number => records.reduce((sum, record) => sum + recordBytes(record), 0);

const LONGEST_WAIT = 1000;

export const createBatcher = (options: BatcherOptions): Batcher => {
  const queues = new Map<string, TopicQueue>();
  let bufferedBytes = 0;
  let closing: Closing | undefined;

  const queueOf = (topic: string): TopicQueue => {
    const known = queues.get(topic);
    if (known !== undefined) return known;
    // An idle queue is dropped, so there are never more queues than events in the buffer.
    const queue = createTopicQueue(topic, {
      longestWaitMs: LONGEST_WAIT,
      ...options,
      onFreed: (bytes) => {
        bufferedBytes -= bytes;
      },
      onIdle: () => {
        queues.delete(topic);
        if (queues.size === 0) closing?.finish();
      },
    });
    queues.set(topic, queue);
    return queue;
  };

  const refusal = (topic: string, bytes: number): GatewayError | undefined => {
    if (closing !== undefined) return new GatewayError("SHUTTING_DOWN");
    if (options.broker.isLost?.() === true) return new GatewayError("BROKER_UNAVAILABLE");
    const full = bufferedBytes > 0 && bufferedBytes + bytes > options.maxBufferedBytes;
    return full || queues.get(topic)?.isOverloaded() === true ? new GatewayError("OVERLOADED") : undefined;
  };

  const enter = (topic: string, records: Records, call: EnteringCall): void => {
    if (records.length === 0) {
      call.ended([]);
      return;
    }
    const bytes = bytesOf(records);
    const refused = refusal(topic, bytes);
    if (refused === undefined) {
      bufferedBytes += bytes;
      queueOf(topic).add(createPending(records, options.deliveryTimeoutMs, call.ended, call), call.order);
    } else call.ended(failEach(records, refused));
  };

  const outcomesOf = (topic: string, records: Records, call: Omit<EnteringCall, "ended">) =>
    new Promise<readonly AppendOutcome[]>((ended) => {
      enter(topic, records, { ...call, ended });
    });

  return {
    append: (topic, records, order) => outcomesOf(topic, records, { order }),
    appendInOrder: (topic, records) => outcomesOf(topic, records, { inOrder: true }),
    watch: enter,
    withdraw: (topic) => {
      queues.get(topic)?.withdraw();
    },
    get bufferedBytes() {
      return bufferedBytes;
    },
    close: () => {
      closing ??= createClosing();
      if (queues.size === 0) closing.finish();
      return closing.done;
    },
  };
};

interface Closing {
  readonly done: Promise<void>;
  readonly finish: () => void;
}

const createClosing = (): Closing => {
  let finish = (): void => undefined;
  const done = new Promise<void>((settle) => {
    finish = settle;
  });
  return { done, finish };
};
