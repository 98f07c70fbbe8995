/** The assigned partitions of a member: their revocation, the offsets that they were sought to, and their records. */
import { partitionId } from "../partitions.ts";
import type { Batch, EachBatchPayload, IHeaders, KafkaMessage } from "kafkajs";
import type {
  ConsumedRecord,
  RecordHeader,
  SubscriptionHandlers,
  TopicPartition,
  TopicPartitionOffset,
} from "../broker.ts";
import { withOwnBytes } from "../record-bytes.ts";
import { settledWithin } from "./options.ts";

export interface Holding {
  readonly partitions: readonly TopicPartition[];
  assign(partitions: readonly TopicPartition[]): void;
  /** Calls `onRevoked` and resolves when its promise settles, or after a timeout. */
  revoke(): Promise<void>;
}

/** Milliseconds, well below the group's rebalance timeout. */
const REVOKE_TIMEOUT = 5000;

export const createHolding = (handlers: SubscriptionHandlers): Holding => {
  let partitions: readonly TopicPartition[] = [];
  let revoking: Promise<void> | undefined;

  const giveUp = async (): Promise<void> => {
    const given = partitions;
    const callHandler = async (): Promise<void> => handlers.onRevoked?.(given);
    await settledWithin(REVOKE_TIMEOUT, callHandler()).catch(() => undefined);
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

/** The seeks of a member since its last assignment. */
export interface Sought {
  /** Partitions were assigned: forgets all earlier seeks. */
  assigned(): void;
  seek(position: TopicPartitionOffset): void;
  /** True if the partition was sought since it was assigned. */
  has(partition: TopicPartition): boolean;
  /** A fetch from this offset is being sent. */
  fetching(position: TopicPartitionOffset): void;
  /** True until a fetch from the sought offset is sent: an answer that arrives now is for an earlier fetch. */
  isStale(partition: TopicPartition): boolean;
}

export const createSought = (): Sought => {
  /** Sought offsets that no fetch has asked for yet. */
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

/** Delivers a kafkajs batch to the handlers as records. */
export const handOver = (payload: EachBatchPayload, handlers: SubscriptionHandlers): void => {
  const { batch } = payload;
  const last = batch.messages.at(-1);
  if (last === undefined || payload.isStale() || !payload.isRunning()) return;
  handlers.onRecords(batch.messages.map((message) => withOwnBytes(consumed(message, batch))));
  const passed = BigInt(batch.lastOffset()) + 1n;
  // `onRecords` may have sought another offset.
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

/** kafkajs collects the values in a plain object, so a name such as "constructor" starts with an inherited value. */
const isHeaderValue = (value: unknown): value is Buffer | null => value === null || Buffer.isBuffer(value);
