/** Records on their way into a broker and out of it, and the outcome of an append. */
import type { GatewayError } from "../errors.ts";
import type { TopicPartitionOffset } from "./positions.ts";

export interface RecordHeader {
  readonly name: string;
  /** null and an empty value are different, as in Kafka. */
  readonly value: Buffer | null;
}

/** A record to store. Buffers are not copied: the caller must not change them until the append has settled. */
export interface BrokerRecord {
  /** Without `partition`, the murmur2 hash of the key chooses the partition, as in Kafka. null: any partition. */
  readonly key: Buffer | null;
  /** null is a tombstone. */
  readonly value: Buffer | null;
  /** Headers with the same name keep their order. A reader may get the headers grouped by name. */
  readonly headers: readonly RecordHeader[];
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  /** The partition to write to. If it doesn't exist, only this record fails, with PARTITION_UNKNOWN. */
  readonly partition?: number;
}

export interface StoredRecord {
  readonly status: "stored";
  readonly partition: number;
  readonly offset: bigint;
  readonly timestamp: number;
}

interface FailedRecord {
  readonly status: "failed";
  /** `error.outcome` says whether the record is certainly not stored, or may be stored. */
  readonly error: GatewayError;
}

export type AppendOutcome = StoredRecord | FailedRecord;

/** A record for a reader. Its buffers are not parts of larger buffers, so a reader that keeps a record holds little more memory than the record's bytes. */
export interface ConsumedRecord extends TopicPartitionOffset {
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly RecordHeader[];
}
