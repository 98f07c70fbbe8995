/**
 * Many concurrent produces become one append (group commit): while an append to a topic is in flight the next one
 * gathers, so that there is no timer to wait for, an idle topic is appended to at once, and the batches grow with the
 * load. Topics don't wait for each other.
 */
import type { AppendOutcome, Broker, BrokerRecord } from "../../broker/broker.ts";
import { recordBytes } from "../../broker/record-bytes.ts";
import { GatewayError } from "../../errors.ts";
import { type ChunkLimits, createPending, failEach } from "./pending.ts";
import { createTopicQueue, type TopicQueue, type Order } from "./topic-queue.ts";

export interface BatcherOptions extends ChunkLimits {
  readonly broker: Pick<Broker, "append">;
  /** Milliseconds from arrival after which an event that isn't stored fails. */
  readonly deliveryTimeoutMs: number;
  /** Bytes of events, record overhead included, that may wait or be in flight, all topics together. */
  readonly maxBufferedBytes: number;
  /** Milliseconds that a call may wait for its append before it counts as an overload. Default: 1000. */
  readonly longestWaitMs?: number;
  /** One append that has settled: how long it took and what it carried. */
  readonly appendObserved?: (seconds: number, records: number) => void;
}

export interface Batcher {
  /**
   * Stores records of one topic and settles, never rejects: one outcome per record, in order. They reach the broker in
   * their order, however many appends it takes, and those of one `order` in the order of their calls; the caller leaves
   * the array alone until then. Failures beside the broker's own: OVERLOADED at once where the buffer can't take all of
   * them (a call alone may be larger than the buffer) or the topic's calls have long been waiting for long;
   * SHUTTING_DOWN; BROKER_UNAVAILABLE for what wasn't handed to the broker in time; and BROKER_AMBIGUOUS for what was
   * and isn't answered: its append may still settle, and the topic's next one waits for that.
   */
  append(topic: string, records: readonly BrokerRecord[], order?: Order): Promise<readonly AppendOutcome[]>;
  /** Bytes that wait or are in flight now. */
  readonly bufferedBytes: number;
  /** Takes nothing new, and resolves once all that was taken has its outcome and no append is in flight. */
  close(): Promise<void>;
}

const LONGEST_WAIT = 1000;

export const createBatcher = (options: BatcherOptions): Batcher => {
  const lanes = new Map<string, TopicQueue>();
  let bufferedBytes = 0;
  let closing: { readonly done: Promise<void>; readonly finish: () => void } | undefined;

  const laneOf = (topic: string): TopicQueue => {
    const known = lanes.get(topic);
    if (known !== undefined) return known;
    // An idle lane is dropped, so that there are never more of them than the buffer has events.
    const lane = createTopicQueue(topic, {
      longestWaitMs: LONGEST_WAIT,
      ...options,
      onFreed: (bytes) => {
        bufferedBytes -= bytes;
      },
      onIdle: () => {
        lanes.delete(topic);
        if (lanes.size === 0) closing?.finish();
      },
    });
    lanes.set(topic, lane);
    return lane;
  };

  const refusal = (topic: string, bytes: number): GatewayError | undefined => {
    if (closing !== undefined) return new GatewayError("SHUTTING_DOWN");
    const full = bufferedBytes > 0 && bufferedBytes + bytes > options.maxBufferedBytes;
    const overloaded = full || lanes.get(topic)?.isOverloaded === true;
    return overloaded ? new GatewayError("OVERLOADED") : undefined;
  };

  return {
    append: (topic, records, order) => {
      if (records.length === 0) return Promise.resolve([]);
      const bytes = records.reduce((sum, record) => sum + recordBytes(record), 0);
      const refused = refusal(topic, bytes);
      if (refused !== undefined) return Promise.resolve(failEach(records, refused));
      bufferedBytes += bytes;
      return new Promise((resolve) => {
        const pending = createPending(records, options.deliveryTimeoutMs, resolve);
        laneOf(topic).add(pending, order);
      });
    },
    get bufferedBytes() {
      return bufferedBytes;
    },
    close: () => {
      if (closing === undefined) {
        const { promise, resolve } = withResolvers();
        closing = { done: promise, finish: resolve };
        if (lanes.size === 0) resolve();
      }
      return closing.done;
    },
  };
};

const withResolvers = (): { promise: Promise<void>; resolve: () => void } => {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
};
