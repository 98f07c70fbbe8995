/** One partition of the log: its end, its appends and its reads. */
import type { BrokerRecord, ConsumedRecord, TopicPartition } from "../broker.ts";
import type { ReadLimit } from "../local/store.ts";
import type { Change } from "./commit-loop.ts";
import { type Environment, PAGE_BYTES } from "./environment.ts";
import { bytesOf, countOf, decodeBatch, encodeBatches, newestOf } from "./record-batch.ts";

/** A batch on the disk. */
export interface StoredBatch {
  readonly first: number;
  /** The offset after its last record. */
  readonly end: number;
  /** The latest timestamp of its records. */
  readonly newest: number;
}

export interface PartitionLog {
  readonly of: TopicPartition;
  /** The offset of the first record on the disk; 0 in an empty partition. */
  readonly low: () => bigint;
  /**
   * The oldest batches for which `mayGo` returns true, at most `limit`. Never the last batch of the partition: the next offset
   * comes from it, so it stays.
   */
  readonly oldest: (limit: number, mayGo: (batch: StoredBatch) => boolean) => readonly StoredBatch[];
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

  return {
    of,
    low: () => BigInt(first),
    oldest: (limit, mayGo) => firstOf(onDisk.batches(), limit, (batch) => batch.end < stored && mayGo(batch)),
    freeing: (batches) => ({
      bytes: batches.length * PAGE_BYTES,
      stage: () => {
        for (const batch of batches)
          void environment.databases.batches.remove([topicId, of.partition, batch.first]);
      },
      applied: () => {
        first = batches.at(-1)?.end ?? first;
      },
    }),
    high: () => BigInt(stored),
    adding: (records) => {
      let start = 0;
      let end = 0;
      return {
        bytes: bytesOf(records) + PAGE_BYTES,
        stage: () => {
          start = staged;
          for (const { count, bytes } of encodeBatches(records)) {
            void environment.databases.batches.put([topicId, of.partition, staged], bytes);
            staged += count;
          }
          end = staged;
        },
        applied: () => {
          stored = end;
          return BigInt(start);
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
    },
    read: (from, limit) => within(onDisk.recordsFrom(from), limit),
  };
};

/** The first batches, at most `limit`, up to the first one that may not go. */
const firstOf = (
  batches: Iterable<StoredBatch>,
  limit: number,
  mayGo: (batch: StoredBatch) => boolean,
): readonly StoredBatch[] => {
  const going: StoredBatch[] = [];
  for (const batch of batches) {
    if (going.length === limit || !mayGo(batch)) break;
    going.push(batch);
  }
  return going;
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

interface StoredBatches {
  /** As `PartitionLog.low`. */
  readonly start: () => number;
  /** From the oldest one on. */
  readonly batches: () => Iterable<StoredBatch>;
  /** The offset after the last record; 0 in an empty partition. */
  readonly end: () => number;
  /** The records from this offset on. */
  readonly recordsFrom: (offset: bigint) => Iterable<ConsumedRecord>;
}

/** Finds a partition's records in the batches on the disk. */
const createStoredBatches = (
  environment: Pick<Environment, "databases">,
  topicId: number,
  of: TopicPartition,
): StoredBatches => {
  const start = [topicId, of.partition];
  const lastUpTo = (offset: number): object => ({
    start: [...start, offset],
    end: start,
    reverse: true,
    limit: 1,
  });

  const firstOfBatchWith = (offset: number): number => {
    for (const [, , first] of environment.databases.batches.getKeys(lastUpTo(offset))) return first;
    return 0;
  };

  function* recordsFrom(offset: bigint): Generator<ConsumedRecord> {
    const first = firstOfBatchWith(Number(offset));
    for (const { key, value } of environment.databases.batches.getRange({
      start: [...start, first],
      end: [...start, Infinity],
    })) {
      for (const record of decodeBatch(value, { ...of, offset: BigInt(key[2]) })) {
        if (record.offset >= offset) yield record;
      }
    }
  }

  const range = { start: [...start, 0], end: [...start, Infinity] };

  return {
    start: () => {
      for (const [, , first] of environment.databases.batches.getKeys({ ...range, limit: 1 })) return first;
      return 0;
    },
    batches: function* () {
      for (const { key, value } of environment.databases.batches.getRange(range)) {
        const [, , first] = key;
        yield { first, end: first + countOf(value), newest: newestOf(value) };
      }
    },
    end: () => {
      for (const { key, value } of environment.databases.batches.getRange(lastUpTo(Infinity)))
        return key[2] + countOf(value);
      return 0;
    },
    recordsFrom,
  };
};
