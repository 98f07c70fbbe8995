/** One partition of the log: its end, its appends and its reads. */
import type { BrokerRecord, ConsumedRecord, TopicPartition } from "../broker.ts";
import type { ReadLimit } from "../local/store.ts";
import type { Change } from "./commit-loop.ts";
import { type Environment, PAGE_BYTES } from "./environment.ts";
import { bytesOf, encodeBatches } from "./record-batch.ts";
import { createOldest, createSize, createStoredBatches, type StoredBatch } from "./stored-batches.ts";

export interface PartitionLog {
  readonly of: TopicPartition;
  /** The offset of the first record on the disk; 0 in an empty partition. */
  readonly low: () => bigint;
  /**
   * The oldest batches up to the first one for which `mayGo` returns false, at most `limit`. Never the last batch of the partition: the
   * next offset comes from it, so it stays. `bytesBefore`: of the older batches.
   */
  readonly oldest: (
    limit: number,
    mayGo: (batch: StoredBatch, bytesBefore: number) => boolean,
  ) => readonly StoredBatch[];
  /**
   * The bytes of all batches. undefined: some are not counted yet. Each call counts at most `limit` of the batches that were on the disk
   * when the log was opened; the other ones are counted when they are appended.
   */
  readonly bytes: (limit: number) => number | undefined;
  /** A change that removes the oldest batches, as `oldest` has returned them. */
  readonly freeing: (batches: readonly StoredBatch[]) => Change<void>;
  /** The offset after the last record on the disk. */
  readonly high: () => bigint;
  /** A change that appends the records. Its result is the offset of the first record. */
  readonly adding: (records: readonly BrokerRecord[]) => Change<bigint>;
  /** Discards the records that a failed commit has staged. */
  readonly reset: () => void;
  readonly read: (from: bigint, limit: ReadLimit) => readonly ConsumedRecord[];
}

/**
 * Opens a partition. The next offset comes from the last stored record, so a crash leaves no gap, and the offset of an
 * acknowledged record is never reused.
 */
export const openPartitionLog = (
  environment: Pick<Environment, "databases">,
  topicId: number,
  of: TopicPartition,
): PartitionLog => {
  const onDisk = createStoredBatches(environment, topicId, of);
  let first = onDisk.start();
  let stored = onDisk.end();
  let staged = stored;
  const size = createSize(onDisk, first);
  const oldest = createOldest(onDisk);

  return {
    of,
    low: () => BigInt(first),
    oldest: (limit, mayGo) =>
      oldest(first, limit, (batch, bytesBefore) => batch.end < stored && mayGo(batch, bytesBefore)),
    bytes: (limit) => size.upTo(stored, limit),
    freeing: (batches) => ({
      purpose: "freeing",
      bytes: batches.length * PAGE_BYTES,
      stage: () => {
        for (const batch of batches) onDisk.remove(batch.first);
      },
      applied: () => {
        first = size.freed(batches, first);
      },
    }),
    high: () => BigInt(stored),
    adding: (records) => {
      const added = { start: 0, end: 0, bytes: 0 };
      return {
        bytes: bytesOf(records) + PAGE_BYTES,
        stage: () => {
          added.start = staged;
          for (const { count, bytes } of encodeBatches(records)) {
            onDisk.put(staged, bytes);
            staged += count;
            added.bytes += bytes.length;
          }
          added.end = staged;
        },
        applied: () => {
          stored = added.end;
          size.added(added);
          return BigInt(added.start);
        },
      };
    },
    reset: () => {
      try {
        stored = onDisk.end();
        first = onDisk.start();
      } catch {
        // The environment is not reopened yet; it calls `reset` again when it is.
      }
      staged = stored;
      size.reset(first);
    },
    read: (from, limit) => within(onDisk.recordsFrom(from), limit),
  };
};

const within = (found: Iterable<ConsumedRecord>, limit: ReadLimit): readonly ConsumedRecord[] => {
  const records: ConsumedRecord[] = [];
  let bytes = 0;
  for (const record of found) {
    bytes += record.value?.length ?? 0;
    if (records.length === limit.records || (records.length > 0 && bytes > limit.bytes)) break;
    records.push(record);
  }
  return records;
};
