/**
 * Ids of event streams: a topic, the topic's id, and the next offset of each partition, as base64url. The bytes are: the
 * version, the topic, the topic's id (both with their length before them), and an unsigned LEB128 number for each partition.
 */

/** A place in a topic: everything before it was sent. */
export interface StreamPosition {
  /** As `Broker.topicId`. */
  readonly topicId: string;
  /** The next offset of each partition. A partition beyond the end of the list is read from its first event. */
  readonly offsets: readonly bigint[];
}

const VERSION = 1;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const UUID_BYTES = 16;
/** Bounds the work for an id of a client. Kafka's offsets have 63 bits. */
const MAX_PARTITIONS = 100_000;
const OFFSET_BITS = 63n;

const bytesOfId = (topicId: string): Buffer =>
  UUID.test(topicId) ? Buffer.from(topicId.replaceAll("-", ""), "hex") : Buffer.from(topicId);

const idOfBytes = (bytes: Buffer): string => {
  if (bytes.length !== UUID_BYTES) return bytes.toString();
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
};

const withLength = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([bytes.length]), bytes]);

/** Writes the ids of one topic. */
export const idWriter = (topic: string, topicId: string): ((offsets: readonly bigint[]) => string) => {
  const head = Buffer.concat([
    Buffer.from([VERSION]),
    withLength(Buffer.from(topic)),
    withLength(bytesOfId(topicId)),
  ]);
  return (offsets) => {
    const bytes = [...head];
    for (const offset of offsets) {
      let rest = offset;
      for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
      bytes.push(Number(rest));
    }
    return Buffer.from(bytes).toString("base64url");
  };
};

export interface StreamId extends StreamPosition {
  readonly topic: string;
}

/** undefined: the text is not an id of a stream. */
export const parseId = (text: string): StreamId | undefined => {
  if (!/^[\w-]+$/.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64url");
  if (bytes[0] !== VERSION) return undefined;
  const topic = sizedAt(bytes, 1);
  const topicId = topic && sizedAt(bytes, topic.end);
  const offsets = topicId && offsetsAt(bytes, topicId.end);
  if (offsets === undefined) return undefined;
  return { topic: topic?.bytes.toString() ?? "", topicId: idOfBytes(topicId?.bytes ?? bytes), offsets };
};

const sizedAt = (bytes: Buffer, at: number): { bytes: Buffer; end: number } | undefined => {
  const end = at + 1 + (bytes[at] ?? Infinity);
  return end > bytes.length ? undefined : { bytes: bytes.subarray(at + 1, end), end };
};

const offsetsAt = (bytes: Buffer, start: number): bigint[] | undefined => {
  const offsets: bigint[] = [];
  let value = 0n;
  let shift = 0n;
  for (const byte of bytes.subarray(start)) {
    if (shift >= OFFSET_BITS || offsets.length >= MAX_PARTITIONS) return undefined;
    value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte > 0x7f) continue;
    offsets.push(value);
    value = 0n;
    shift = 0n;
  }
  return shift === 0n ? offsets : undefined;
};
