/** The records of one append by partition, cut into batches that go out one after the other, and what became of them. */
import { GatewayError } from "../../errors.ts";
import type { AppendOutcome, BrokerRecord } from "../broker.ts";
import { FINAL, type PartitionBatch, type SendResult, type StoredBatch } from "./producer.ts";

/** kafkajs groups messages in quadratic time: 500 records a call are its best, and no loss for others. */
const MAX_BATCH_RECORDS = 500;
/** Within Kafka's default for a topic, 1,048,588 bytes, with what the batch and its records add. */
const MAX_BATCH_BYTES = 900_000;
const RECORD_OVERHEAD = 64;

/** A batch, and where its records stand in the append. */
interface IndexedBatch extends PartitionBatch {
  readonly indexes: readonly number[];
}

/** One partition's batches: the one at the head is sent until its end is known, the others wait for it. */
export interface PartitionBatches {
  readonly waiting: IndexedBatch[];
  /** The head may already be stored by an earlier attempt. */
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

/** A lane for each partition; a record that asks for a partition that isn't there has failed already. */
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

const bytesOf = ({ key, value, headers }: BrokerRecord): number => {
  let bytes = RECORD_OVERHEAD + (key?.length ?? 0) + (value?.length ?? 0);
  for (const header of headers) bytes += header.name.length + (header.value?.length ?? 0);
  return bytes;
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
    const size = bytesOf(record);
    let batch = batches.at(-1);
    if (batch === undefined || batch.records.length >= MAX_BATCH_RECORDS || bytes + size > MAX_BATCH_BYTES) {
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

/** Takes the result of the lane's head. False: the head is to be sent again as it is. */
export const settleHead = (
  lane: PartitionBatches,
  result: SendResult,
  outcomes: AppendOutcome[],
): boolean => {
  const head = lane.waiting[0];
  if (head === undefined) return false;
  if (result.status === "stored") {
    store(head, result, outcomes);
  } else if (lane.ambiguous && FINAL.has(result.fault)) {
    // The refusal is about this attempt: an earlier one may have stored the records. Halves would store them twice.
    fail(head, "BROKER_AMBIGUOUS", result.cause, outcomes);
  } else if (result.fault === "too-large" || result.fault === "invalid") {
    if (head.records.length > 1) {
      lane.waiting.splice(0, 1, ...halves(head));
      return true;
    }
    fail(head, result.fault === "invalid" ? "RECORD_REFUSED" : "RECORD_TOO_LARGE", result.cause, outcomes);
  } else if (result.fault === "refused") {
    fail(head, "TOPIC_REFUSED", result.cause, outcomes);
  } else {
    lane.ambiguous ||= result.fault === "ambiguous";
    return false;
  }
  lane.waiting.shift();
  lane.ambiguous = false;
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

/** The broker refuses the batch as a whole and doesn't say for which of its records: halves find it. */
const halves = ({ partition, indexes, records }: IndexedBatch): IndexedBatch[] => {
  const middle = Math.ceil(records.length / 2);
  return [
    { partition, indexes: indexes.slice(0, middle), records: records.slice(0, middle) },
    { partition, indexes: indexes.slice(middle), records: records.slice(middle) },
  ];
};

/** Ends the lanes without another attempt. A head whose outcome is unknown stays unknown; all other batches get `code`. */
const failWaiting = (
  lanes: readonly PartitionBatches[],
  code: Failure,
  cause: unknown,
  outcomes: AppendOutcome[],
): void => {
  for (const { waiting, ambiguous } of lanes)
    for (const [n, batch] of waiting.splice(0).entries())
      fail(batch, n === 0 && ambiguous ? "BROKER_AMBIGUOUS" : code, cause, outcomes);
};

/** There is no time left for another attempt. */
export const failRest = (
  lanes: readonly PartitionBatches[],
  cause: unknown,
  outcomes: AppendOutcome[],
): void => {
  failWaiting(lanes, "BROKER_UNAVAILABLE", cause, outcomes);
};

/** The topic is deleted. Readers may have seen what an attempt of unknown outcome stored before that. */
export const failGone = (lanes: readonly PartitionBatches[], outcomes: AppendOutcome[]): void => {
  failWaiting(lanes, "STATION_UNKNOWN", "UNKNOWN_TOPIC_OR_PARTITION", outcomes);
};
