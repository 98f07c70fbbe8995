/** One partition of the log: its end, its appends and its reads. */
import type { BrokerRecord, ConsumedRecord, TopicPartition } from "../broker.ts";
import type { ReadLimit } from "../local/store.ts";
import type { Change } from "./commit-loop.ts";
import { type Environment, PAGE_BYTES } from "./environment.ts";
import { bytesOf, countOf, decodeBatch, encodeBatches } from "./record-batch.ts";

export interface PartitionLog {
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
  let stored = onDisk.end();
  let staged = stored;

  return {
    high: () => BigInt(stored),
    adding: (records) => {
      let first = 0;
      let end = 0;
      return {
        bytes: bytesOf(records) + PAGE_BYTES,
        stage: () => {
          first = staged;
          for (const { count, bytes } of encodeBatches(records)) {
            void environment.databases.batches.put([topicId, of.partition, staged], bytes);
            staged += count;
          }
          end = staged;
        },
        applied: () => {
          stored = end;
          return BigInt(first);
        },
      };
    },
    reset: () => {
      try {
        stored = onDisk.end();
      } catch {
        // The environment is not reopened yet; it calls `reset` again when it is.
      }
      staged = stored;
    },
    read: (from, limit) => {
      const records: ConsumedRecord[] = [];
      let bytes = 0;
      for (const record of onDisk.recordsFrom(from)) {
        bytes += record.value?.length ?? 0;
        if (records.length === limit.records || (records.length > 0 && bytes > limit.bytes)) break;
        records.push(record);
      }
      return records;
    },
  };
};

interface StoredBatches {
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

  return {
    end: () => {
      for (const { key, value } of environment.databases.batches.getRange(lastUpTo(Infinity)))
        return key[2] + countOf(value);
      return 0;
    },
    recordsFrom,
  };
};
