/** Claims: the partitions that the group has assigned to this member, and the records of each that are in memory. */
import type { ConsumedRecord, TopicPartition } from "../../broker/broker.ts";
import { partitionId } from "../../broker/partitions.ts";
import { createOffsetTracker, type OffsetTracker } from "./offset-tracker.ts";
import type { DeliveryEnd, FailureStage } from "./delivery-plan.ts";
import type { RetryState } from "./strategy.ts";

/** One assignment of a partition. If the partition comes back after a rebalance, it gets a new claim. */
export interface Claim extends TopicPartition {
  readonly tracker: OffsetTracker;
  /** Tracker of the previous claim, if that claim was still ending when this one began. Records that it finishes are not sent again. */
  earlier: OffsetTracker | undefined;
  /** false: the member has had no contact to the group for too long; another process may have the partition. */
  readonly isConfirmed: () => boolean;
  /** Call it when a record of the claim has its final outcome. */
  readonly finished: (record: ConsumedRecord) => void;
  /** The start position is known. */
  begun: boolean;
  /** The partition is being given up or is gone. No more records of it are sent. */
  revoked: boolean;
  /** The partition is gone. Its position is no longer committed. */
  ended: boolean;
  /** Number of records that are being sent or dead-lettered. */
  busy: number;
  /** Number of records in memory. */
  records: number;
  /** Size of the keys and values of these records. */
  bytes: number;
  /** The subscription reads no more of this partition. */
  paused: boolean;
  /** The committed position, and its metadata. */
  committed: bigint | undefined;
  metadata: string | undefined;
}

/** What has one request per attempt, and one retry state: a record, or the records of a batch. */
export interface Attempted {
  readonly claim: Claim;
  /** Earliest time of the next attempt, in milliseconds since the epoch. 0: at once. */
  notBefore: number;
  attempts: number;
  retry: RetryState;
  lastStatus: number | undefined;
  lastError: string | undefined;
  /** How the last attempt ended. Only if the plan has reports, and only if no attempt follows. */
  end?: DeliveryEnd;
}

/** A record that has no final outcome yet. */
export interface Item extends Attempted {
  readonly record: ConsumedRecord;
  /** The step in which the record failed, if it failed before its first attempt. `TASK_PUT`: its request can't be made. */
  stage?: FailureStage;
}

export interface Claims {
  readonly all: readonly Claim[];
  get(partition: TopicPartition): Claim | undefined;
  /** Claims a partition. `before`: the previous claim on it, if that claim has not ended yet. */
  add(partition: TopicPartition, before: Claim | undefined, owner: ClaimOwner): void;
  remove(partition: TopicPartition): Claim | undefined;
  received(claim: Claim, record: ConsumedRecord): void;
  isFull(claim: Claim): boolean;
  /** True if the claim is empty enough to read more records. */
  canBuffer(claim: Claim): boolean;
}

interface ClaimOwner {
  /** A record of the claim has its final outcome. */
  readonly onFinished: (claim: Claim) => void;
  readonly isConfirmed: Claim["isConfirmed"];
}

/** Limits for all partitions of a runner together. Each partition has an equal share, so no partition can starve another. */
const MAX_RECORDS = 10_000;
const MAX_BYTES = 32 * 1024 * 1024;
/** A share is never smaller than this. */
const MIN_RECORDS = 200;
const MIN_BYTES = 256 * 1024;

const sizeOf = ({ key, value }: ConsumedRecord): number => (key?.length ?? 0) + (value?.length ?? 0);

const createClaim = (
  { topic, partition }: TopicPartition,
  earlier: OffsetTracker | undefined,
  { onFinished, isConfirmed }: ClaimOwner,
): Claim => {
  const tracker = createOffsetTracker();
  const claim: Claim = {
    topic,
    partition,
    tracker,
    earlier,
    isConfirmed,
    finished: (record) => {
      claim.records -= 1;
      claim.bytes -= sizeOf(record);
      tracker.finished(record.offset);
      onFinished(claim);
    },
    begun: false,
    revoked: false,
    ended: false,
    busy: 0,
    records: 0,
    bytes: 0,
    paused: false,
    committed: undefined,
    metadata: undefined,
  };
  return claim;
};

export const createClaims = (): Claims => {
  const claims = new Map<string, Claim>();
  const holdsMoreThan = ({ records, bytes }: Claim, fraction: number): boolean =>
    records > Math.max(MIN_RECORDS, MAX_RECORDS / claims.size) * fraction ||
    bytes > Math.max(MIN_BYTES, MAX_BYTES / claims.size) * fraction;
  return {
    get all() {
      return [...claims.values()];
    },
    get: (partition) => claims.get(partitionId(partition)),
    add(partition, before, owner) {
      claims.set(partitionId(partition), createClaim(partition, before?.tracker, owner));
    },
    remove(partition) {
      const claim = claims.get(partitionId(partition));
      claims.delete(partitionId(partition));
      return claim;
    },
    received(claim, record) {
      claim.records += 1;
      claim.bytes += sizeOf(record);
      claim.tracker.received(record.offset, record.timestamp);
    },
    isFull: (claim) => holdsMoreThan(claim, 1),
    canBuffer: (claim) => !holdsMoreThan(claim, 0.5),
  };
};
