/** The records of one append, grouped into batches by partition, and their outcomes. */
import { GatewayError } from "../../errors.ts";
import type { AppendOutcome, BrokerRecord } from "../broker.ts";
import { MAX_APPEND_BYTES, recordBytes } from "../record-bytes.ts";
import { FINAL, type PartitionBatch, type SendResult, type StoredBatch } from "./producer.ts";

/**
 * kafkajs groups messages in quadratic time and is fastest with 500 records per call. Other clients are as fast with this
 * size.
 */
const MAX_BATCH_RECORDS = 500;

/** A batch, and the index of each of its records in the append. */
interface IndexedBatch extends PartitionBatch {
  readonly indexes: readonly number[];
}

/** The batches of one partition. The head batch is sent until its outcome is known; the other batches wait. */
export interface PartitionBatches {
  readonly waiting: IndexedBatch[];
  /** True if an earlier attempt may have stored the head batch. */
  ambiguous: boolean;
}

type Failure =
  | "BROKER_UNAVAILABLE"
  | "TOPIC_REFUSED"
  | "BROKER_AMBIGUOUS"
  | "STATION_UNKNOWN"
  | "PARTITION_UNKNOWN"
  | "RECORD_TOO_LARGE"
  | "RECORD_REFUSED";

export const failedRecord = (code: Failure, cause: unknown): AppendOutcome => ({
  status: "failed",
  error: new GatewayError(code, { cause }),
});

/** Groups the records by partition. Fails the records whose partition doesn't exist. */
export const batchesByPartition = (
  partitions: readonly (number | undefined)[],
  records: readonly BrokerRecord[],
  outcomes: AppendOutcome[],
): PartitionBatches[] => {
  const indexes = new Map<number, number[]>();
  for (const [i, partition] of partitions.entries()) {
    if (partition === undefined) {
      outcomes[i] = failedRecord("PARTITION_UNKNOWN", records[i]?.partition);
      continue;
    }
    const group = indexes.get(partition);
    if (group === undefined) indexes.set(partition, [i]);
    else group.push(i);
  }
  return [...indexes].map(([partition, group]) => ({
    waiting: batchesOf(partition, group, records),
    ambiguous: false,
  }));
};

const batchesOf = (
  partition: number,
  indexes: readonly number[],
  records: readonly BrokerRecord[],
): IndexedBatch[] => {
  const batches: { partition: number; indexes: number[]; records: BrokerRecord[] }[] = [];
  let bytes = 0;
  for (const i of indexes) {
    const record = records[i];
    if (record === undefined) continue;
    const size = recordBytes(record);
    let batch = batches.at(-1);
    if (batch === undefined || batch.records.length >= MAX_BATCH_RECORDS || bytes + size > MAX_APPEND_BYTES) {
      batch = { partition, indexes: [], records: [] };
      batches.push(batch);
      bytes = 0;
    }
    batch.indexes.push(i);
    batch.records.push(record);
    bytes += size;
  }
  return batches;
};

/** Processes the result of the partition's head batch. Returns false if the same batch must be sent again. */
export const settleHead = (
  batches: PartitionBatches,
  result: SendResult,
  outcomes: AppendOutcome[],
): boolean => {
  const head = batches.waiting[0];
  if (head === undefined) return false;
  if (result.status === "stored") {
    store(head, result, outcomes);
  } else if (batches.ambiguous && FINAL.has(result.fault)) {
    // The broker refused this attempt, but an earlier attempt may have stored the records. Sending the batch in halves could
    // store them twice.
    fail(head, "BROKER_AMBIGUOUS", result.cause, outcomes);
  } else if (result.fault === "too-large" || result.fault === "invalid") {
    if (head.records.length > 1) {
      batches.waiting.splice(0, 1, ...halves(head));
      return true;
    }
    fail(head, result.fault === "invalid" ? "RECORD_REFUSED" : "RECORD_TOO_LARGE", result.cause, outcomes);
  } else if (result.fault === "refused") {
    fail(head, "TOPIC_REFUSED", result.cause, outcomes);
  } else {
    batches.ambiguous ||= result.fault === "ambiguous";
    return false;
  }
  batches.waiting.shift();
  batches.ambiguous = false;
  return true;
};

const store = (
  { partition, indexes, records }: IndexedBatch,
  { baseOffset, timestamp }: StoredBatch,
  outcomes: AppendOutcome[],
): void => {
  for (const [n, i] of indexes.entries())
    outcomes[i] = {
      status: "stored",
      partition,
      offset: baseOffset + BigInt(n),
      timestamp: timestamp ?? records[n]?.timestamp ?? 0,
    };
};

const fail = ({ indexes }: IndexedBatch, code: Failure, cause: unknown, outcomes: AppendOutcome[]): void => {
  for (const i of indexes) outcomes[i] = failedRecord(code, cause);
};

/** Splits a refused batch. The broker doesn't say which record it refuses; repeated halving finds that record. */
const halves = ({ partition, indexes, records }: IndexedBatch): IndexedBatch[] => {
  const middle = Math.ceil(records.length / 2);
  return [
    { partition, indexes: indexes.slice(0, middle), records: records.slice(0, middle) },
    { partition, indexes: indexes.slice(middle), records: records.slice(middle) },
  ];
};

/** Fails all waiting batches with `code`, except an ambiguous head batch, whose outcome stays unknown. */
const failWaiting = (
  partitions: readonly PartitionBatches[],
  code: Failure,
  cause: unknown,
  outcomes: AppendOutcome[],
): void => {
  for (const { waiting, ambiguous } of partitions)
    for (const [n, batch] of waiting.splice(0).entries())
      fail(batch, n === 0 && ambiguous ? "BROKER_AMBIGUOUS" : code, cause, outcomes);
};

/** Fails all waiting batches because no time is left for another attempt. */
export const failRest = (
  partitions: readonly PartitionBatches[],
  cause: unknown,
  outcomes: AppendOutcome[],
): void => {
  failWaiting(partitions, "BROKER_UNAVAILABLE", cause, outcomes);
};

/** Fails all waiting batches because the topic is deleted. An ambiguous head batch may have been stored before the deletion. */
export const failDeleted = (partitions: readonly PartitionBatches[], outcomes: AppendOutcome[]): void => {
  failWaiting(partitions, "STATION_UNKNOWN", "UNKNOWN_TOPIC_OR_PARTITION", outcomes);
};
