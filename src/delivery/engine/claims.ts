/** The partitions that are ours at the moment, and how much of each is kept in memory. */
import type { ConsumedRecord, TopicPartition } from "../../broker/broker.ts";
import { partitionId } from "../../broker/partitions.ts";
import { createOffsetTracker, type OffsetTracker } from "./offset-tracker.ts";
import type { RetryState } from "./strategy.ts";

/** A partition while it is ours. A partition that comes back after a rebalance is a new claim. */
export interface Claim extends TopicPartition {
  readonly tracker: OffsetTracker;
  /** Of the claim before, where that was still ending as the partition came back: what it finishes isn't sent again. */
  earlier: OffsetTracker | undefined;
  /** false: the group may have given the partition to another process, which this one can't know yet. */
  readonly isConfirmed: () => boolean;
  /** To be called when a record of it has its final outcome. */
  readonly finished: (record: ConsumedRecord) => void;
  /** It is known where it began. */
  begun: boolean;
  /** Being given up, or gone: nothing more of it is sent. */
  revoked: boolean;
  /** Gone: its position is not stored any more. */
  ended: boolean;
  /** Records being sent, or being stored as dead letters. */
  busy: number;
  /** Records in memory, and the bytes they take. */
  records: number;
  bytes: number;
  /** The subscription holds back what comes next. */
  paused: boolean;
  /** Position that is stored, and its metadata. */
  committed: bigint | undefined;
  metadata: string | undefined;
}

/** A record on its way to a final outcome. */
export interface Item {
  readonly record: ConsumedRecord;
  readonly claim: Claim;
  /** Not to be sent before, milliseconds since the epoch; 0: at once. */
  notBefore: number;
  attempts: number;
  retry: RetryState;
  lastStatus: number | undefined;
  lastError: string | undefined;
}

export interface Claims {
  readonly all: readonly Claim[];
  get(partition: TopicPartition): Claim | undefined;
  /** Takes a partition anew; `before` is the claim on it that has not ended yet. */
  take(partition: TopicPartition, before: Claim | undefined): void;
  give(partition: TopicPartition): Claim | undefined;
  received(claim: Claim, record: ConsumedRecord): void;
  isFull(claim: Claim): boolean;
  /** Has been emptied far enough to take more. */
  hasRoom(claim: Claim): boolean;
}

interface ClaimsOptions {
  /** A record of the claim has its final outcome. */
  readonly onFinished: (claim: Claim) => void;
  /** As of each claim. */
  readonly isConfirmed: () => boolean;
}

/** For all partitions of a runner together; each has its even share, and so can't starve another one. */
const MAX_RECORDS = 10_000;
const MAX_BYTES = 32 * 1024 * 1024;
const MIN_RECORDS = 200;
const MIN_BYTES = 256 * 1024;

const sizeOf = ({ key, value }: ConsumedRecord): number => (key?.length ?? 0) + (value?.length ?? 0);

const createClaim = (
  { topic, partition }: TopicPartition,
  earlier: OffsetTracker | undefined,
  { onFinished, isConfirmed }: ClaimsOptions,
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

export const createClaims = (options: ClaimsOptions): Claims => {
  const claims = new Map<string, Claim>();
  const holdsMoreThan = ({ records, bytes }: Claim, fraction: number): boolean =>
    records > Math.max(MIN_RECORDS, MAX_RECORDS / claims.size) * fraction ||
    bytes > Math.max(MIN_BYTES, MAX_BYTES / claims.size) * fraction;
  return {
    get all() {
      return [...claims.values()];
    },
    get: (partition) => claims.get(partitionId(partition)),
    take(partition, before) {
      claims.set(partitionId(partition), createClaim(partition, before?.tracker, options));
    },
    give(partition) {
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
    hasRoom: (claim) => !holdsMoreThan(claim, 0.5),
  };
};
