/** Decodes the record batches of a Fetch answer: magic 2, which Kafka 0.11 and later write. */
import { GatewayError } from "../../errors.ts";
import type { ConsumedRecord, RecordHeader } from "../broker.ts";
import type { TopicPartitionOffset } from "../positions.ts";
import { contentBytes } from "../record-bytes.ts";
import { COMPRESSIONS } from "./compression.ts";
import { type AbortedTransaction, type BatchContext, createJudge } from "./read-committed.ts";

const HEADER_BYTES = 61;
/** Bytes of base offset and length, which the length doesn't count. */
const UNCOUNTED = 12;
const MAGIC = 2;
const COMPRESSION = 0b111;
const LOG_APPEND_TIME = 1 << 3;
const TRANSACTIONAL = 1 << 4;
const CONTROL = 1 << 5;

const NOTHING = Buffer.alloc(0);

interface Batch extends BatchContext {
  readonly baseOffset: bigint;
  readonly lastOffset: bigint;
  readonly count: number;
  /** Milliseconds since the epoch. Each record has its distance from it. */
  readonly firstTimestamp: number;
  /** The timestamp of all records, if the broker has set it. */
  readonly appendTimestamp: number | undefined;
  /** The encoded records, without compression. */
  readonly records: Buffer;
}

const decompressed = (records: Buffer, attribute: number): Buffer => {
  if (attribute === 0) return records;
  const codec = Object.values(COMPRESSIONS).find((compression) => compression.attribute === attribute);
  if (codec === undefined)
    throw new GatewayError("BROKER_UNAVAILABLE", { cause: `compression ${attribute}` });
  return codec.decompress(records);
};

/** Yields the complete batches. Kafka may cut the last one. */
function* batchesOf(bytes: Buffer): Generator<Batch> {
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const end = at + UNCOUNTED + bytes.readInt32BE(at + 8);
    if (end > bytes.length) return;
    const magic = bytes.readInt8(at + 16);
    if (magic !== MAGIC) throw new GatewayError("BROKER_UNAVAILABLE", { cause: `message format ${magic}` });
    const baseOffset = bytes.readBigInt64BE(at);
    const attributes = bytes.readInt16BE(at + 21);
    const lastOffsetDelta = bytes.readInt32BE(at + 23);
    const isAppendTime = (attributes & LOG_APPEND_TIME) !== 0;
    yield {
      baseOffset,
      lastOffset: baseOffset + BigInt(lastOffsetDelta),
      firstOffset: baseOffset.toString(),
      lastOffsetDelta,
      producerId: bytes.readBigInt64BE(at + 43).toString(),
      inTransaction: (attributes & TRANSACTIONAL) !== 0,
      isControlBatch: (attributes & CONTROL) !== 0,
      count: bytes.readInt32BE(at + 57),
      firstTimestamp: Number(bytes.readBigInt64BE(at + 27)),
      appendTimestamp: isAppendTime ? Number(bytes.readBigInt64BE(at + 35)) : undefined,
      records: decompressed(bytes.subarray(at + HEADER_BYTES, end), attributes & COMPRESSION),
    };
    at = end;
  }
}

/** A record that is kept keeps at most this many bytes of its neighbours in memory. */
const PIECE_BYTES = 16 * 1024;

/** Yields the records of a batch. They are slices of copies of small parts of the batch, not of the whole answer. */
function* recordsOf(batch: Batch, { topic, partition }: TopicPartitionOffset): Generator<ConsumedRecord> {
  const { records: bytes, baseOffset, firstTimestamp, appendTimestamp } = batch;
  let at = 0;
  let piece = NOTHING;
  let pieceStart = 0;

  /** Copies the next part of the batch, unless the present one has the whole record. */
  const need = (end: number): void => {
    if (end <= pieceStart + piece.length) return;
    pieceStart = at;
    const length = Math.min(bytes.length, Math.max(end, at + PIECE_BYTES)) - at;
    piece = Buffer.allocUnsafeSlow(length);
    bytes.copy(piece, 0, at, at + length);
  };

  /** Zigzag. It uses doubles instead of bit operations because timestamp deltas may exceed 32 bits. */
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = bytes.readUInt8(at++);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
  };
  const slice = (): Buffer | null => {
    const length = varint();
    if (length < 0) return null;
    at += length;
    return piece.subarray(at - length - pieceStart, at - pieceStart);
  };

  for (let left = batch.count; left > 0; left -= 1) {
    const length = varint();
    need(at + length);
    at += 1; // its attributes, which are unused
    const timestamp = appendTimestamp ?? firstTimestamp + varint();
    if (appendTimestamp !== undefined) varint();
    const offset = baseOffset + BigInt(varint());
    const key = slice();
    const value = slice();
    const headers: RecordHeader[] = [];
    for (let more = varint(); more > 0; more -= 1)
      headers.push({ name: slice()?.toString() ?? "", value: slice() });
    yield { topic, partition, offset, timestamp, key, value, headers };
  }
}

export interface DecodedRecords {
  readonly records: readonly ConsumedRecord[];
  /** The offset after the last record or batch. */
  readonly next: bigint;
}

/**
 * The committed records from an offset on, up to `maxBytes` of their contents and at least one. Skips records of aborted
 * transactions and control records, and passes their offsets. The records own their buffers.
 */
export const decodeRecords = (
  bytes: Buffer,
  from: TopicPartitionOffset,
  { aborted, maxBytes }: { readonly aborted: readonly AbortedTransaction[]; readonly maxBytes: number },
): DecodedRecords => {
  const isAborted = createJudge(aborted);
  const records: ConsumedRecord[] = [];
  let next = from.offset;
  let left = maxBytes;
  for (const batch of batchesOf(bytes)) {
    const [first] = batch.isControlBatch ? recordsOf(batch, from) : [];
    const isSkipped = isAborted(batch, first ?? { key: null }) || batch.isControlBatch;
    for (const record of isSkipped ? [] : recordsOf(batch, from)) {
      if (record.offset < next) continue;
      left -= contentBytes(record);
      if (left < 0 && records.length > 0) return { records, next };
      records.push(record);
      next = record.offset + 1n;
    }
    if (batch.lastOffset >= next) next = batch.lastOffset + 1n;
  }
  return { records, next };
};
