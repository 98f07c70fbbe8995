/** Kafka's Produce request, version 8 (Kafka 2.4 and later), for one topic, and the encoding of its record batches. */
import { crc32c, createAPI, type Reader, Writer } from "./client-library.ts";
import type { BrokerRecord } from "../broker.ts";

const PRODUCE = 0;
const VERSION = 8;
const ALL_REPLICAS = -1;

export interface EncodedBatch {
  readonly partition: number;
  /** The encoded record batch. */
  readonly bytes: Buffer;
}

export interface ProduceRequest {
  readonly topic: string;
  readonly batches: readonly EncodedBatch[];
  /** Milliseconds that the leader waits for the in-sync replicas. */
  readonly timeout: number;
}

export interface PartitionAnswer {
  readonly partition: number;
  /** 0: stored. */
  readonly errorCode: number;
  readonly baseOffset: bigint;
  /** Milliseconds since the epoch; -1 if the records keep their own timestamps. */
  readonly logAppendTime: bigint;
}

const encode = ({ topic, batches, timeout }: ProduceRequest): Writer => {
  const writer = Writer.create()
    .appendString(null, false)
    .appendInt16(ALL_REPLICAS)
    .appendInt32(timeout)
    .appendInt32(1)
    .appendString(topic, false)
    .appendInt32(batches.length);
  for (const { partition, bytes } of batches)
    writer.appendInt32(partition).appendInt32(bytes.length).append(bytes);
  return writer;
};

const readMany = <T>(reader: Reader, readOne: () => T): T[] => {
  const count = reader.readInt32();
  return Array.from({ length: Math.max(0, count) }, readOne);
};

const decode = (_correlation: number, _key: number, _version: number, reader: Reader): PartitionAnswer[] => {
  const partition = (): PartitionAnswer => {
    const answer = {
      partition: reader.readInt32(),
      errorCode: reader.readInt16(),
      baseOffset: reader.readInt64(),
      logAppendTime: reader.readInt64(),
    };
    reader.readInt64(); // the log's start offset
    readMany(reader, () => {
      reader.readInt32();
      return reader.readNullableString(false);
    });
    reader.readNullableString(false); // the error's message
    return answer;
  };
  const topics = readMany(reader, () => {
    reader.readString(false);
    return readMany(reader, partition);
  });
  return topics.flat();
};

export const produce = createAPI<[ProduceRequest], PartitionAnswer[]>(
  PRODUCE,
  VERSION,
  encode,
  decode,
  false,
  false,
);

/** Identifies the producer, for deduplication by the broker. Without it the broker stores every batch. */
export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly epoch: number;
  /** Sequence number of the batch's first record in its partition. */
  readonly baseSequence: number;
}

interface Compression {
  /** Bits 0 to 2 of the batch's attributes. */
  readonly attribute: number;
  compress(records: Buffer): Buffer;
}

interface RecordBatchOptions {
  readonly identity?: ProducerIdentity | undefined;
  readonly compression?: Compression | undefined;
}

const MAGIC = 2;
const HEADER_BYTES = 61;
/** The checksum covers all bytes from this offset on. */
const CHECKED_FROM = 21;
/** Bytes of base offset and length, which the length doesn't count. */
const UNCOUNTED = 12;
const NOBODY: ProducerIdentity = { producerId: -1n, epoch: -1, baseSequence: -1 };

/**
 * Encodes at least one record of one partition as a Kafka record batch, magic 2, in one pass into one buffer. Other Kafka
 * clients in JavaScript write a record with many small appends. In batches of 100 records of 256 bytes with one header,
 * a record takes 0.25 µs here and 1.9 µs in @platformatic/kafka (4 µs in batches of 1,000), both with the checksum.
 */
export const encodeRecordBatch = (
  records: readonly BrokerRecord[],
  { identity = NOBODY, compression }: RecordBatchOptions = {},
): Buffer => {
  const first = records[0]?.timestamp ?? 0;
  const sizes: number[] = [];
  let bytes = 0;
  let last = first;
  for (const record of records) {
    const size = sizeOfRecord(record, record.timestamp - first, sizes.length);
    sizes.push(size);
    bytes += sizeOfVarint(size) + size;
    if (record.timestamp > last) last = record.timestamp;
  }
  const batch = Buffer.allocUnsafe(HEADER_BYTES + bytes);
  writeRecords(batch, records, sizes);
  const written = compression === undefined ? batch : compressed(batch, compression);
  writeHeader(written, {
    count: records.length,
    first,
    last,
    attributes: compression?.attribute ?? 0,
    identity,
  });
  return written;
};

const compressed = (batch: Buffer, compression: Compression): Buffer => {
  const records = compression.compress(batch.subarray(HEADER_BYTES));
  return Buffer.concat([batch.subarray(0, HEADER_BYTES), records]);
};

interface BatchHeader {
  readonly count: number;
  /** Timestamp of the first record, and the latest timestamp. */
  readonly first: number;
  readonly last: number;
  readonly attributes: number;
  readonly identity: ProducerIdentity;
}

const writeHeader = (batch: Buffer, { count, first, last, attributes, identity }: BatchHeader): void => {
  batch.writeBigInt64BE(0n, 0);
  batch.writeInt32BE(batch.length - UNCOUNTED, 8);
  batch.writeInt32BE(-1, 12);
  batch.writeInt8(MAGIC, 16);
  batch.writeInt16BE(attributes, 21);
  batch.writeInt32BE(count - 1, 23);
  batch.writeBigInt64BE(BigInt(first), 27);
  batch.writeBigInt64BE(BigInt(last), 35);
  batch.writeBigInt64BE(identity.producerId, 43);
  batch.writeInt16BE(identity.epoch, 51);
  batch.writeInt32BE(identity.baseSequence, 53);
  batch.writeInt32BE(count, 57);
  batch.writeUInt32BE(crc32c(batch.subarray(CHECKED_FROM)), 17);
};

const writeRecords = (batch: Buffer, records: readonly BrokerRecord[], sizes: readonly number[]): void => {
  const first = records[0]?.timestamp ?? 0;
  let at = HEADER_BYTES;
  let delta = 0;
  for (const record of records) {
    at = writeVarint(batch, at, sizes[delta] ?? 0);
    batch[at++] = 0;
    at = writeVarint(batch, at, record.timestamp - first);
    at = writeVarint(batch, at, delta);
    at = writeBytes(batch, at, record.key);
    at = writeBytes(batch, at, record.value);
    at = writeVarint(batch, at, record.headers.length);
    for (const { name, value } of record.headers) {
      at = writeBytes(batch, at, bytesOf(name));
      at = writeBytes(batch, at, value);
    }
    delta += 1;
  }
};

const sizeOfRecord = (record: BrokerRecord, timestampDelta: number, offsetDelta: number): number => {
  let size = 1 + sizeOfVarint(timestampDelta) + sizeOfVarint(offsetDelta);
  size += sizeOfBytes(record.key) + sizeOfBytes(record.value) + sizeOfVarint(record.headers.length);
  for (const { name, value } of record.headers) size += sizeOfBytes(bytesOf(name)) + sizeOfBytes(value);
  return size;
};

const sizeOfBytes = (bytes: Buffer | null): number =>
  bytes === null ? 1 : sizeOfVarint(bytes.length) + bytes.length;

const writeBytes = (batch: Buffer, at: number, bytes: Buffer | null): number => {
  if (bytes === null) return writeVarint(batch, at, -1);
  const start = writeVarint(batch, at, bytes.length);
  batch.set(bytes, start);
  return start + bytes.length;
};

/** Encoded header names, which repeat in most records. It is emptied when it is full: an LRU cache takes longer. */
const names = new Map<string, Buffer>();
const MAX_NAMES = 1000;

const bytesOf = (name: string): Buffer => {
  let bytes = names.get(name);
  if (bytes === undefined) {
    bytes = Buffer.from(name);
    if (names.size >= MAX_NAMES) names.clear();
    names.set(name, bytes);
  }
  return bytes;
};

/** Zigzag encoding. It uses doubles instead of bit operations because timestamp deltas may exceed 32 bits. */
const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value);

const sizeOfVarint = (value: number): number => {
  let rest = zigzag(value);
  if (rest < 0x80) return 1;
  let size = 1;
  while (rest >= 0x80) {
    rest = Math.floor(rest / 0x80);
    size++;
  }
  return size;
};

const writeVarint = (batch: Buffer, at: number, value: number): number => {
  let rest = zigzag(value);
  let i = at;
  if (rest < 0x80) {
    batch[i++] = rest;
    return i;
  }
  while (rest >= 0x80) {
    batch[i++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  batch[i++] = rest;
  return i;
};
