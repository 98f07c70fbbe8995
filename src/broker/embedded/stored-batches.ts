/** The batches of a partition on the disk: finds and counts them. A change of them is in the transaction that is open. */
import type { ConsumedRecord, TopicPartition } from "../broker.ts";
import type { Environment } from "./environment.ts";
import { countOf, decodeBatch, newestOf } from "./record-batch.ts";

/** A batch on the disk. */
export interface StoredBatch {
  readonly first: number;
  /** The offset after its last record. */
  readonly end: number;
  /** The latest timestamp of its records. */
  readonly newest: number;
  readonly bytes: number;
}

type Sized = Pick<StoredBatch, "end" | "bytes">;

export interface StoredBatches {
  /** As `PartitionLog.low`. */
  readonly start: () => number;
  /** From the oldest one on. */
  readonly batches: () => Iterable<StoredBatch>;
  /** From the batch at this offset on, without decoding them. */
  readonly sizes: (from: number) => Iterable<Sized>;
  /** The offset after the last record; 0 in an empty partition. */
  readonly end: () => number;
  /** The records from this offset on. */
  readonly recordsFrom: (offset: bigint) => Iterable<ConsumedRecord>;
  readonly put: (first: number, batch: Buffer) => void;
  readonly remove: (first: number) => void;
}

/** Finds a partition's records in the batches on the disk. */
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
    for (const { key, value } of environment.databases.batches.getRange(rangeFrom(first))) {
      for (const record of decodeBatch(value, { ...of, offset: BigInt(key[2]) })) {
        if (record.offset >= offset) yield record;
      }
    }
  }

  const rangeFrom = (offset: number) => ({ start: [...start, offset], end: [...start, Infinity] });

  return {
    start: () => {
      for (const [, , first] of environment.databases.batches.getKeys({ ...rangeFrom(0), limit: 1 }))
        return first;
      return 0;
    },
    batches: function* () {
      for (const { key, value } of environment.databases.batches.getRange(rangeFrom(0))) {
        const [, , first] = key;
        yield { first, end: first + countOf(value), newest: newestOf(value), bytes: value.length };
      }
    },
    sizes: function* (from) {
      for (const { key, value } of environment.databases.batches.getRange(rangeFrom(from)))
        yield { end: key[2] + countOf(value), bytes: value.length };
    },
    end: () => {
      for (const { key, value } of environment.databases.batches.getRange(lastUpTo(Infinity)))
        return key[2] + countOf(value);
      return 0;
    },
    recordsFrom,
    put: (first, batch) => {
      void environment.databases.batches.put([topicId, of.partition, first], batch);
    },
    remove: (first) => {
      void environment.databases.batches.remove([topicId, of.partition, first]);
    },
  };
};

/** The bytes of the batches from the first one up to an offset. */
export const createSize = (onDisk: Pick<StoredBatches, "sizes">, first: number) => {
  let to = first;
  let bytes = 0;
  return {
    /** undefined: there are more batches up to `end`. Counts at most `limit` of them. */
    upTo: (end: number, limit: number): number | undefined => {
      if (to === end) return bytes;
      for (const batch of upTo(limit, onDisk.sizes(to))) {
        to = batch.end;
        bytes += batch.bytes;
      }
      return to === end ? bytes : undefined;
    },
    added: ({ start, ...batch }: Sized & { readonly start: number }): void => {
      if (start !== to) return;
      to = batch.end;
      bytes += batch.bytes;
    },
    /** Returns the new first offset, after the oldest batches, which begin at `oldFirst`, were removed. */
    freed: (batches: readonly Sized[], oldFirst: number): number => {
      for (const batch of batches) if (batch.end <= to) bytes -= batch.bytes;
      const newFirst = batches.at(-1)?.end ?? oldFirst;
      to = Math.max(to, newFirst);
      return newFirst;
    },
    reset: (newFirst: number): void => {
      to = newFirst;
      bytes = 0;
    },
  };
};

/** Returns `PartitionLog.oldest`. Its first argument is the first offset of the partition. */
export const createOldest = (onDisk: Pick<StoredBatches, "batches">) => {
  /** The oldest batch as of the last call. Most calls return nothing, and then decode nothing. */
  let head: StoredBatch | undefined;
  return (
    first: number,
    limit: number,
    mayGo: (batch: StoredBatch, bytesBefore: number) => boolean,
  ): readonly StoredBatch[] => {
    if (head?.first === first && !mayGo(head, 0)) return [];
    const going: StoredBatch[] = [];
    let bytes = 0;
    for (const batch of upTo(limit, onDisk.batches())) {
      if (batch.first === first) head = batch;
      if (!mayGo(batch, bytes)) break;
      going.push(batch);
      bytes += batch.bytes;
    }
    return going;
  };
};

function* upTo<T>(limit: number, all: Iterable<T>): Generator<T> {
  let count = 0;
  for (const one of all) {
    if (count === limit) return;
    count += 1;
    yield one;
  }
}
