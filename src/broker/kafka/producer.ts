/** The seam between the adapter and a client library that writes: one attempt, and what is known after it. */
import type { BrokerRecord } from "../broker.ts";

/** Records of one partition that go into one record batch, in order. At least one. */
export interface PartitionBatch {
  readonly partition: number;
  readonly records: readonly BrokerRecord[];
}

export interface StoredBatch {
  readonly status: "stored";
  readonly baseOffset: bigint;
  /** The broker's, where the topic's timestamps are the time of the append; undefined: the records' own. */
  readonly timestamp: number | undefined;
}

/**
 * What a failed attempt says of its records. `ambiguous` ones may be stored; all others certainly are not: `unavailable`
 * and `moved` (the leader, or the topic, isn't where it was thought) may be tried again as they are, `too-large` and
 * `invalid` (a record that the topic doesn't take) in smaller pieces, `refused` not at all.
 */
export type SendFault = "unavailable" | "moved" | "ambiguous" | "too-large" | "invalid" | "refused";

/** The faults that sending the same batch again doesn't change. */
export const FINAL: ReadonlySet<SendFault> = new Set<SendFault>(["too-large", "invalid", "refused"]);

export interface FailedBatch {
  readonly status: "failed";
  readonly fault: SendFault;
  readonly cause: unknown;
}

export type SendResult = StoredBatch | FailedBatch;

export interface Producer {
  /**
   * One attempt, acknowledged by all in-sync replicas: settles with a result for each batch, in order, and never
   * rejects. At most one batch of a partition. A batch that is given again after an `unavailable`, `moved` or
   * `ambiguous` end must be the same object, by which an idempotent producer knows it. Each step on the way (connecting,
   * finding the leaders, the request itself) ends by the client's timeouts.
   */
  send(topic: string, batches: readonly PartitionBatch[]): Promise<readonly SendResult[]>;
  /** These batches, whose last end was such a one, are not given again. */
  abandon(batches: readonly PartitionBatch[]): void;
  /** Frees the connections. */
  close(): Promise<void>;
}

export const failedBatch = (fault: SendFault, cause: unknown): FailedBatch => ({
  status: "failed",
  fault,
  cause,
});

/** Told before anything is appended; a client that also sees the answer's offset knows better (platformatic-producer.ts). */
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
/** The leader has appended, the others haven't in time: the records may well stay. */
const AMBIGUOUS = new Set([
  "REQUEST_TIMED_OUT",
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  // The disk has failed at some point of the append, the flush at its end included.
  "KAFKA_STORAGE_ERROR",
  "UNKNOWN",
  "UNKNOWN_SERVER_ERROR",
  // Stored by an earlier attempt, and too long ago for the broker to remember where.
  "DUPLICATE_SEQUENCE_NUMBER",
]);
const TOO_LARGE = new Set(["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"]);
/** A topic with keys only, and a record without one; a timestamp that the topic takes for wrong. */
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

/** What an error code of the Kafka protocol, by its name, means for a produce request. */
export const faultOfCode = (name: string): SendFault => {
  if (MOVED.has(name)) return "moved";
  if (AMBIGUOUS.has(name)) return "ambiguous";
  if (TOO_LARGE.has(name)) return "too-large";
  if (INVALID.has(name)) return "invalid";
  return UNAVAILABLE.has(name) ? "unavailable" : "refused";
};
