/** The partitions that the group has given to one member. */
import { partitionId } from "../partitions.ts";
import type { Batch, EachBatchPayload, IHeaders, KafkaMessage } from "kafkajs";
import type {
  ConsumedRecord,
  RecordHeader,
  SubscriptionHandlers,
  TopicPartition,
  TopicPartitionOffset,
} from "../broker.ts";
import { withOwnBytes } from "../own-bytes.ts";
import { settledWithin } from "./options.ts";

export interface Holding {
  readonly partitions: readonly TopicPartition[];
  assign(partitions: readonly TopicPartition[]): void;
  /** Tells the handlers, and resolves when they are done, or after a bounded time. */
  revoke(): Promise<void>;
}

/** Well within the time that the group waits for its members to come together again. */
const REVOKE_TIMEOUT = 5000;

export const createHolding = (handlers: SubscriptionHandlers): Holding => {
  let partitions: readonly TopicPartition[] = [];
  let revoking: Promise<void> | undefined;

  const giveUp = async (): Promise<void> => {
    const given = partitions;
    const told = async (): Promise<void> => handlers.onRevoked?.(given);
    await settledWithin(REVOKE_TIMEOUT, told()).catch(() => undefined);
    if (partitions === given) partitions = [];
    revoking = undefined;
  };

  return {
    get partitions() {
      return partitions;
    },
    assign: (assigned) => {
      partitions = assigned;
      handlers.onAssigned?.(assigned);
    },
    revoke: async () => {
      if (partitions.length > 0) await (revoking ??= giveUp());
    },
  };
};

/** Where partitions of a member are read from, as far as it isn't the position that the group has stored. */

export interface Sought {
  /** Partitions were assigned: where earlier ones were sent is over. */
  assigned(): void;
  seek(position: TopicPartitionOffset): void;
  /** Was it sent anywhere since it was assigned? */
  has(partition: TopicPartition): boolean;
  /** The broker is asked for records from there on. */
  fetching(position: TopicPartitionOffset): void;
  /** The partition was sent elsewhere, and nothing has been asked for from there on: an answer is an old one. */
  isStale(partition: TopicPartition): boolean;
}

export const createSought = (): Sought => {
  /** Sought, and not asked for yet. */
  const pending = new Map<string, bigint>();
  const sought = new Set<string>();
  return {
    assigned: () => {
      pending.clear();
      sought.clear();
    },
    seek: (position) => {
      pending.set(partitionId(position), position.offset);
      sought.add(partitionId(position));
    },
    has: (partition) => sought.has(partitionId(partition)),
    fetching: (position) => {
      if (pending.get(partitionId(position)) === position.offset) pending.delete(partitionId(position));
    },
    isStale: (partition) => pending.has(partitionId(partition)),
  };
};

/** Batches of kafkajs, handed over as records of ours. */

export const handOver = (payload: EachBatchPayload, handlers: SubscriptionHandlers): void => {
  const { batch } = payload;
  const last = batch.messages.at(-1);
  if (last === undefined || payload.isStale() || !payload.isRunning()) return;
  handlers.onRecords(batch.messages.map((message) => withOwnBytes(consumed(message, batch))));
  const passed = BigInt(batch.lastOffset()) + 1n;
  // The handler may have gone elsewhere meanwhile.
  if (passed <= BigInt(last.offset) + 1n || payload.isStale()) return;
  handlers.onPassed?.({ topic: batch.topic, partition: batch.partition, offset: passed });
};

const consumed = (
  { key, value, headers, offset, timestamp }: KafkaMessage,
  { topic, partition }: Batch,
): ConsumedRecord => ({
  topic,
  partition,
  offset: BigInt(offset),
  timestamp: Number(timestamp),
  key,
  value,
  headers: headers === undefined ? [] : headersOf(headers),
});

const headersOf = (headers: IHeaders): readonly RecordHeader[] =>
  Object.entries(headers).flatMap(([name, values]) =>
    [values as unknown]
      .flat()
      .filter(isHeaderValue)
      .map((value) => ({ name, value })),
  );

/** kafkajs collects the values in a plain object, so that "constructor" and its like begin with what objects inherit. */
const isHeaderValue = (value: unknown): value is Buffer | null => value === null || Buffer.isBuffer(value);
