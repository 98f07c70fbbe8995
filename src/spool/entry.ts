/**
 * An event in a segment file. All numbers are big-endian:
 *
 *     magic u32 | bytes of the body u32 | CRC-32 of the body u32 | state u8 | body
 *
 * The state is not part of the checksum, because it is changed in place. Body: sequence number f64, stamp f64, time f64,
 * timestamp f64, partition i32 (-1: none), id, key, value, number of headers u32, and each header as name and value. A byte string is its
 * length as i32 (-1: null) and its bytes.
 */
import { crc32 } from "node:zlib";
import type { BrokerRecord, RecordHeader } from "../broker/broker.ts";

/**
 * `OPEN`: Kafka may still acknowledge the first append of the event. `KEPT`: the event must be drained. `DONE`: the event is
 * stored in Kafka, or is in `refused/`.
 */
export const State = { OPEN: 1, KEPT: 2, DONE: 3 } as const;
export type EntryState = (typeof State)[keyof typeof State];

export interface Entry {
  /** Increases by 1 with each event of a topic in a folder. */
  readonly seq: number;
  /** Microseconds of the clock that all processes of a pod share. Orders the events of several folders. */
  readonly stamp: number;
  /** When the event came to the spool, in milliseconds since the epoch. */
  readonly time: number;
  readonly record: BrokerRecord;
  /** The event's id, if it has a home. The spool keeps it and hands it to the appender when draining. */
  readonly id?: Buffer | undefined;
}

const MAGIC = 0x53475345;
const HEAD_BYTES = 13;
/** Position of the state in an entry. */
export const STATE_AT = 12;
const FIXED_BYTES = 4 * 8 + 4 + 3 * 4 + 4;
/** A longer entry can't exist: a request body has at most this size. */
const MAX_BODY = 2 ** 30;

const partBytes = (part: Buffer | null): number => 4 + (part?.length ?? 0);

export const entryBytes = ({ record, id }: Pick<Entry, "record" | "id">): number => {
  let bytes = HEAD_BYTES + FIXED_BYTES + (id?.length ?? 0);
  bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0);
  for (const { name, value } of record.headers) bytes += 4 + Buffer.byteLength(name) + partBytes(value);
  return bytes;
};

/** Writes the entry into `target` at `at` and returns the position behind it. */
export const writeEntry = (target: Buffer, at: number, entry: Entry, state: EntryState): number => {
  const end = writeBody(target, at + HEAD_BYTES, entry);
  target.writeUInt32BE(MAGIC, at);
  target.writeUInt32BE(end - at - HEAD_BYTES, at + 4);
  target.writeUInt32BE(crc32(target.subarray(at + HEAD_BYTES, end)), at + 8);
  target.writeUInt8(state, at + STATE_AT);
  return end;
};

const writeBody = (target: Buffer, from: number, { seq, stamp, time, record, id }: Entry): number => {
  let at = target.writeDoubleBE(seq, from);
  at = target.writeDoubleBE(stamp, at);
  at = target.writeDoubleBE(time, at);
  at = target.writeDoubleBE(record.timestamp, at);
  at = target.writeInt32BE(record.partition ?? -1, at);
  const part = (bytes: Buffer | null): void => {
    at = target.writeInt32BE(bytes?.length ?? -1, at);
    if (bytes !== null) at += bytes.copy(target, at);
  };
  part(id ?? null);
  part(record.key);
  part(record.value);
  at = target.writeUInt32BE(record.headers.length, at);
  for (const { name, value } of record.headers) {
    part(Buffer.from(name));
    part(value);
  }
  return at;
};

/** Position of the time in an entry, which is an f64. */
export const TIME_AT = HEAD_BYTES + 16;

export type ReadResult =
  | { readonly kind: "entry"; readonly entry: Entry; readonly state: EntryState; readonly end: number }
  /** The entry goes beyond the end of the bytes. */
  | { readonly kind: "short" }
  | { readonly kind: "damaged" };

/** Reads the entry at this position. The buffers of the record are parts of `bytes`. */
export const readEntry = (bytes: Buffer, at: number): ReadResult => {
  if (bytes.length - at < HEAD_BYTES) return { kind: "short" };
  const length = bytes.readUInt32BE(at + 4);
  if (bytes.readUInt32BE(at) !== MAGIC || length < FIXED_BYTES || length > MAX_BODY)
    return { kind: "damaged" };
  const end = at + HEAD_BYTES + length;
  if (end > bytes.length) return { kind: "short" };
  const body = bytes.subarray(at + HEAD_BYTES, end);
  if (crc32(body) !== bytes.readUInt32BE(at + 8)) return { kind: "damaged" };
  return { kind: "entry", entry: readBody(body), state: stateOf(bytes.readUInt8(at + STATE_AT)), end };
};

/** An unknown state counts as `KEPT`, so that the event is not lost. */
const stateOf = (byte: number): EntryState =>
  byte === State.OPEN || byte === State.DONE ? byte : State.KEPT;

const readBody = (body: Buffer): Entry => {
  let at = 36;
  const part = (): Buffer | null => {
    const length = body.readInt32BE(at);
    at += 4;
    if (length < 0) return null;
    at += length;
    return body.subarray(at - length, at);
  };
  const partition = body.readInt32BE(32);
  const id = part();
  const key = part();
  const value = part();
  const headers: RecordHeader[] = [];
  let left = body.readUInt32BE(at);
  at += 4;
  for (; left > 0; left--) headers.push({ name: part()?.toString() ?? "", value: part() });
  const timestamp = body.readDoubleBE(24);
  const record = { key, value, headers, timestamp, ...(partition >= 0 && { partition }) };
  return {
    seq: body.readDoubleBE(0),
    stamp: body.readDoubleBE(8),
    time: body.readDoubleBE(16),
    record,
    ...(id !== null && { id }),
  };
};

const MAGIC_BYTES = Buffer.alloc(4);
MAGIC_BYTES.writeUInt32BE(MAGIC);

/** The position of the first whole entry; undefined: the bytes have no whole entry. */
export const nextWhole = (bytes: Buffer): number | undefined => {
  for (let at = bytes.indexOf(MAGIC_BYTES); at >= 0; at = bytes.indexOf(MAGIC_BYTES, at + 1))
    if (readEntry(bytes, at).kind === "entry") return at;
  return undefined;
};
