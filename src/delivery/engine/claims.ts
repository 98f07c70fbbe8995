/** The partitions that are ours at the moment, and how much of each is kept in memory. */
import { partitionId } from "../../broker/partitions.ts";
import type { ConsumedRecord, TopicPartition } from "../../broker/broker.ts";
import type { Claim } from "./item.ts";
import { createOffsetTracker, type OffsetTracker } from "./offset-tracker.ts";

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

export interface ClaimsOptions {
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
