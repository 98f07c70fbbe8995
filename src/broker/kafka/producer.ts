/** The interface between the adapter and the client library that writes: one attempt to store batches, and its results. */
import type { BrokerRecord } from "../broker.ts";
import type { Address } from "./wire-cluster.ts";

/** The records of one record batch, in order. There is at least one. */
export interface PartitionBatch {
  readonly partition: number;
  readonly records: readonly BrokerRecord[];
}

export interface StoredBatch {
  readonly status: "stored";
  readonly baseOffset: bigint;
  /** The broker's time of the append, if the topic uses it as timestamp; undefined: the records keep their own. */
  readonly timestamp: number | undefined;
}

/**
 * Why an attempt failed. After `ambiguous` the records may be stored; after all other faults they are not.
 * `unavailable` and `moved` (another broker leads the partition, or the topic is gone): the same batch can be retried.
 * `too-large` and `invalid` (the topic doesn't accept a record): smaller batches can be tried.
 * `refused`: a retry fails too.
 */
export type SendFault = "unavailable" | "moved" | "ambiguous" | "too-large" | "invalid" | "refused";

/** Faults that a retry of the same batch doesn't cure. */
export const FINAL: ReadonlySet<SendFault> = new Set<SendFault>(["too-large", "invalid", "refused"]);

export interface FailedBatch {
  readonly status: "failed";
  readonly fault: SendFault;
  readonly cause: unknown;
}

export type SendResult = StoredBatch | FailedBatch;

export interface Producer {
  /**
   * Sends batches once, at most one batch per partition. Resolves to one result per batch, in order; never rejects. A batch
   * is stored when all in-sync replicas have acknowledged it. A retry after `unavailable`, `moved` or `ambiguous` must
   * pass the same batch object, because an idempotent producer identifies a batch by it. The client's timeouts bound each
   * step: the connection, the lookup of the leaders, and the request.
   */
  send(topic: string, batches: readonly PartitionBatch[]): Promise<readonly SendResult[]>;
  /** The caller no longer retries these batches. Their last fault was `unavailable`, `moved` or `ambiguous`. */
  abandon(batches: readonly PartitionBatch[]): void;
  /** Frees the connections. */
  close(): Promise<void>;
}

/** Groups the batches by the leader of their partition, without those that have none. */
export const byLeader = <Batch extends { readonly partition: number }>(
  batches: readonly Batch[],
  leaders: readonly (Address | undefined)[],
): ReadonlyMap<Address, Batch[]> => {
  const groups = new Map<Address, Batch[]>();
  for (const batch of batches) {
    const leader = leaders[batch.partition];
    if (leader === undefined) continue;
    const group = groups.get(leader);
    if (group === undefined) groups.set(leader, [batch]);
    else group.push(batch);
  }
  return groups;
};

export const failedBatch = (fault: SendFault, cause: unknown): FailedBatch => ({
  status: "failed",
  fault,
  cause,
});

/** The broker answers these before it appends. NOT_LEADER_OR_FOLLOWER has an exception: see platformatic-producer.ts. */
const MOVED = new Set([
  "NOT_LEADER_FOR_PARTITION",
  "NOT_LEADER_OR_FOLLOWER",
  "LEADER_NOT_AVAILABLE",
  "UNKNOWN_TOPIC_OR_PARTITION",
  "FENCED_LEADER_EPOCH",
  "UNKNOWN_LEADER_EPOCH",
  "UNKNOWN_TOPIC_ID",
  "REPLICA_NOT_AVAILABLE",
]);
/** The leader may have appended the records, so they may stay stored. */
const AMBIGUOUS = new Set([
  "REQUEST_TIMED_OUT",
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  // The disk failed during the append or during the flush after it.
  "KAFKA_STORAGE_ERROR",
  "UNKNOWN",
  "UNKNOWN_SERVER_ERROR",
  // An earlier attempt stored the batch, but the broker no longer knows its offset.
  "DUPLICATE_SEQUENCE_NUMBER",
]);
const TOO_LARGE = new Set(["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"]);
/** For example a record without key in a compacted topic, or a timestamp outside the topic's allowed range. */
const INVALID = new Set(["INVALID_RECORD", "INVALID_TIMESTAMP"]);
const UNAVAILABLE = new Set([
  "NOT_ENOUGH_REPLICAS",
  "BROKER_NOT_AVAILABLE",
  "CORRUPT_MESSAGE",
  "NETWORK_EXCEPTION",
  "THROTTLING_QUOTA_EXCEEDED",
  "COORDINATOR_LOAD_IN_PROGRESS",
  "OUT_OF_ORDER_SEQUENCE_NUMBER",
  "UNKNOWN_PRODUCER_ID",
  "INVALID_PRODUCER_EPOCH",
  "INVALID_PRODUCER_ID_MAPPING",
]);

/** The fault that a Kafka error name means for a produce request. */
export const faultOfCode = (name: string): SendFault => {
  if (MOVED.has(name)) return "moved";
  if (AMBIGUOUS.has(name)) return "ambiguous";
  if (TOO_LARGE.has(name)) return "too-large";
  if (INVALID.has(name)) return "invalid";
  return UNAVAILABLE.has(name) ? "unavailable" : "refused";
};
