/**
 * The storage format of records. One value of the database holds consecutive records of a partition; its key contains the
 * first offset.
 *
 *     batch:  count u32, then each record
 *     record: timestamp f64, key length i32 (-1: null), value length i32 (-1: null), header count u32, key, value,
 *             then for each header: name length u32, value length i32 (-1: null), name, value
 *
 * Big-endian. A change of this layout needs a new `FORMAT` in `environment.ts`.
 */
import type { BrokerRecord, ConsumedRecord, RecordHeader, TopicPartitionOffset } from "../broker.ts";

const COUNT_BYTES = 4;
const FIXED_BYTES = 8 + 4 + 4 + 4;
const HEADER_FIXED_BYTES = 4 + 4;
/** A reader copies a whole batch even for one record, so a large append is split into several batches. */
const BATCH_BYTES = 256 * 1024;

export interface RecordBatch {
  readonly count: number;
  readonly bytes: Buffer;
}

const sizeOf = ({ key, value, headers }: BrokerRecord): number =>
  headers.reduce(
    (sum, header) => sum + HEADER_FIXED_BYTES + Buffer.byteLength(header.name) + (header.value?.length ?? 0),
    FIXED_BYTES + (key?.length ?? 0) + (value?.length ?? 0),
  );

/** The exact size of the encoded records. */
export const bytesOf = (records: readonly BrokerRecord[]): number =>
  records.reduce((sum, record) => sum + sizeOf(record), COUNT_BYTES);

const writeHeader = (target: Buffer, start: number, { name, value }: RecordHeader): number => {
  const valueAt = start + HEADER_FIXED_BYTES + target.write(name, start + HEADER_FIXED_BYTES);
  target.writeUInt32BE(valueAt - start - HEADER_FIXED_BYTES, start);
  target.writeInt32BE(value?.length ?? -1, start + 4);
  return valueAt + (value?.copy(target, valueAt) ?? 0);
};

const writeRecord = (target: Buffer, start: number, record: BrokerRecord): number => {
  target.writeDoubleBE(record.timestamp, start);
  target.writeInt32BE(record.key?.length ?? -1, start + 8);
  target.writeInt32BE(record.value?.length ?? -1, start + 12);
  target.writeUInt32BE(record.headers.length, start + 16);
  let at = start + FIXED_BYTES;
  at += record.key?.copy(target, at) ?? 0;
  at += record.value?.copy(target, at) ?? 0;
  for (const header of record.headers) at = writeHeader(target, at, header);
  return at;
};

const encodeBatch = (records: readonly BrokerRecord[], size: number): RecordBatch => {
  const bytes = Buffer.allocUnsafe(COUNT_BYTES + size);
  let at = bytes.writeUInt32BE(records.length);
  for (const record of records) at = writeRecord(bytes, at, record);
  return { count: records.length, bytes };
};

/** Encodes the records as batches of at most 256 KiB, in order. A larger record gets a batch of its own. */
export const encodeBatches = (records: readonly BrokerRecord[]): readonly RecordBatch[] => {
  const batches: RecordBatch[] = [];
  let from = 0;
  let size = 0;
  records.forEach((record, index) => {
    const added = sizeOf(record);
    if (index > from && size + added > BATCH_BYTES) {
      batches.push(encodeBatch(records.slice(from, index), size));
      from = index;
      size = 0;
    }
    size += added;
  });
  batches.push(encodeBatch(records.slice(from), size));
  return batches;
};

/** The latest timestamp of a batch. */
export const newestOf = (batch: Buffer): number => {
  let newest = -Infinity;
  for (const { timestamp } of decodeBatch(batch, { topic: "", partition: 0, offset: 0n }))
    newest = Math.max(newest, timestamp);
  return newest;
};

export const countOf = (batch: Buffer): number => batch.readUInt32BE();

interface Cursor {
  readonly batch: Buffer;
  at: number;
}

const take = (cursor: Cursor, length: number): Buffer => {
  const end = cursor.at + length;
  if (end > cursor.batch.length) throw new RangeError("a record is longer than the rest of its batch");
  const bytes = cursor.batch.subarray(cursor.at, end);
  cursor.at = end;
  return bytes;
};

const readHeader = (cursor: Cursor): RecordHeader => {
  const fixed = take(cursor, HEADER_FIXED_BYTES);
  const name = take(cursor, fixed.readUInt32BE(0)).toString();
  const valueLength = fixed.readInt32BE(4);
  return { name, value: valueLength < 0 ? null : take(cursor, valueLength) };
};

/** The records of a batch, in order, as slices of its buffer. `first` is the position of the first record. */
export function* decodeBatch(batch: Buffer, first: TopicPartitionOffset): Generator<ConsumedRecord> {
  const cursor = { batch, at: COUNT_BYTES };
  const { topic, partition } = first;
  for (let index = 0; index < countOf(batch); index += 1) {
    const fixed = take(cursor, FIXED_BYTES);
    const keyLength = fixed.readInt32BE(8);
    const valueLength = fixed.readInt32BE(12);
    const key = keyLength < 0 ? null : take(cursor, keyLength);
    const value = valueLength < 0 ? null : take(cursor, valueLength);
    const headers = Array.from({ length: fixed.readUInt32BE(16) }, () => readHeader(cursor));
    const offset = first.offset + BigInt(index);
    yield { topic, partition, offset, timestamp: fixed.readDoubleBE(0), key, value, headers };
  }
}
