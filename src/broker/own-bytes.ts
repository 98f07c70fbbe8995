/** Records that keep no more memory than they are long. */
import type { ConsumedRecord } from "./broker.ts";

/** A buffer that is this much larger than what is kept of it isn't worth a copy. */
const SLACK_BYTES = 16 * 1024;

const bytesOf = ({ key, value, headers }: ConsumedRecord): number =>
  headers.reduce((sum, header) => sum + lengthOf(header.value), lengthOf(key) + lengthOf(value));

const lengthOf = (part: Buffer | null): number => part?.length ?? 0;

/** Bytes of memory that the record keeps: a record's parts lie in the buffer that they were read into. */
const keptBy = ({ key, value, headers }: ConsumedRecord): number => {
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
 * The record itself, or a copy of it where it lies in a buffer that is much larger, as that of a whole fetch: a record that
 * is kept for its retry would keep all of that. One allocation for each record that is copied.
 */
export const withOwnBytes = (record: ConsumedRecord): ConsumedRecord => {
  const bytes = bytesOf(record);
  if (keptBy(record) <= 2 * bytes + SLACK_BYTES) return record;
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
