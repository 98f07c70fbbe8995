/** Finds a partition's records among the batches on the disk. */
import type { ConsumedRecord, TopicPartition } from "../broker.ts";
import type { Environment } from "./environment.ts";
import { countOf, decodeBatch } from "./record-batch.ts";

export interface StoredBatches {
  /** The offset after the last record; 0 where there is none. */
  readonly end: () => number;
  /** The records from an offset on. */
  readonly recordsFrom: (offset: bigint) => Iterable<ConsumedRecord>;
}

/** The batches of one partition. */
export const createStoredBatches = (
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
