/** The size of a record in memory, the largest append, and records that keep no larger buffer in memory than they need. */
import type { BrokerRecord, ConsumedRecord } from "./broker.ts";

/**
 * Bytes of one append to a partition, as `recordBytes` counts them. Kafka takes a record batch of 1,048,588 bytes by
 * default; the rest is a reserve for topics and brokers with a slightly lower limit.
 */
export const MAX_APPEND_BYTES = 900_000;

/** Estimated cost of a record and of each header beside their bytes: objects in this process, framing in a record batch. */
const RECORD_OVERHEAD = 70;
const HEADER_OVERHEAD = 8;

type SizedRecord = Pick<BrokerRecord, "key" | "value" | "headers">;

/** Bytes of key, value and headers. A header name counts one byte for each character, because appends measure often. */
export const contentBytes = ({ key, value, headers }: SizedRecord): number => {
  let bytes = (key?.length ?? 0) + (value?.length ?? 0);
  for (const header of headers) bytes += header.name.length + (header.value?.length ?? 0);
  return bytes;
};

/** What a record counts for in an append and in `limits.memory`: its content and the overhead. */
export const recordBytes = (record: SizedRecord): number =>
  RECORD_OVERHEAD + HEADER_OVERHEAD * record.headers.length + contentBytes(record);

/** A record is copied only if its buffer is this much larger than the copy. */
const SLACK_BYTES = 16 * 1024;

/** Bytes of all buffers of the record: a header name is a string and has none. */
const bufferBytes = ({ key, value, headers }: ConsumedRecord): number =>
  headers.reduce(
    (sum, header) => sum + (header.value?.length ?? 0),
    (key?.length ?? 0) + (value?.length ?? 0),
  );

/** Bytes that the record keeps in memory: its key, value and headers are slices of the buffer that was read. */
const keptBytes = ({ key, value, headers }: ConsumedRecord): number => {
  let most = 0;
  const see = (part: Buffer | null): void => {
    if (part !== null && part.length > 0 && part.buffer.byteLength > most) most = part.buffer.byteLength;
  };
  see(key);
  see(value);
  for (const header of headers) see(header.value);
  return most;
};

/**
 * Returns the record, or a copy of it if it is a small slice of a large buffer. A record that waits for its retry would
 * otherwise keep the buffer of a whole fetch in memory. A copy takes one allocation.
 */
export const withOwnBytes = (record: ConsumedRecord): ConsumedRecord => {
  const bytes = bufferBytes(record);
  if (keptBytes(record) <= 2 * bytes + SLACK_BYTES) return record;
  const memory = Buffer.allocUnsafe(bytes);
  let used = 0;
  const copy = <T extends Buffer | null>(part: T): T => {
    if (part === null) return part;
    const start = used;
    used += part.copy(memory, used);
    return memory.subarray(start, used) as T;
  };
  return {
    ...record,
    key: copy(record.key),
    value: copy(record.value),
    headers: record.headers.map(({ name, value }) => ({ name, value: copy(value) })),
  };
};
