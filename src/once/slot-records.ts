/**
 * The records in a slot of `once.topic`: fence, intent, done and gone. A record is a head of 24 bytes and its entries:
 *
 *     version 1 | type 1 | process 8 | tenure 4 | ids so far 6 | entries 2 | reserved 2
 *
 * An intent's entries follow a list of the topics. Offsets are doubles, other numbers are unsigned, little-endian.
 */
import { DIGEST_BYTES, PAYLOAD_BYTES } from "./id-table.ts";
import type { IdKind } from "./slot-ids.ts";

/** The process that wrote a record, and the time in which it held the slot. */
export interface Writer {
  /** 16 hexadecimal digits, new for each process. */
  readonly process: string;
  /** Counts how often this process has entered the slot. */
  readonly tenure: number;
}

export interface TopicRef {
  readonly name: string;
  /** Empty: the broker has no topic ids. */
  readonly id: string;
}

export interface IntentEntry {
  readonly digest: Buffer;
  readonly kind: IdKind;
  /** Milliseconds. */
  readonly window: number;
  /** `PAYLOAD_BYTES` bytes. */
  readonly payload: Buffer | undefined;
  readonly topic: TopicRef;
  readonly partition: number;
  /** The lowest offset that the event can get. */
  readonly from: number;
  /** The request's random number, 32 bits. */
  readonly request: number;
}

export interface GoneEntry {
  readonly digest: Buffer;
  /** The offset of the intent's record in the slot. */
  readonly intent: number;
}

export interface DoneEntry extends GoneEntry {
  /** The offset of the event in its partition. */
  readonly offset: number;
}

interface Head {
  readonly writer: Writer;
  /** The number of ids that the slot had before this record. */
  readonly ids: number;
}

export type SlotRecord =
  | (Head & { readonly type: "fence" })
  | (Head & { readonly type: "intent"; readonly entries: readonly IntentEntry[] })
  | (Head & { readonly type: "done"; readonly entries: readonly DoneEntry[] })
  | (Head & { readonly type: "gone"; readonly entries: readonly GoneEntry[] });

/** Maximum number of ids in a record. */
export const MAX_ENTRIES = 1000;

const VERSION = 1;
const TYPES = ["fence", "intent", "done", "gone"] as const;
const HEAD_BYTES = 24;
const INTENT_BYTES = 2 + 1 + DIGEST_BYTES + 4 + 8 + 6 + 4 + PAYLOAD_BYTES;
const GONE_BYTES = DIGEST_BYTES + 8;
const DONE_BYTES = GONE_BYTES + 8;
const IS_CALL = 1;
const HAS_PAYLOAD = 2;

export const encodeSlotRecord = (record: SlotRecord): Buffer => {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt8(VERSION, 0);
  head.writeUInt8(TYPES.indexOf(record.type), 1);
  head.write(record.writer.process, 2, 8, "hex");
  head.writeUInt32LE(record.writer.tenure, 10);
  head.writeUIntLE(record.ids, 14, 6);
  if (record.type === "fence") return head;
  head.writeUInt16LE(record.entries.length, 20);
  if (record.type === "intent") return Buffer.concat([head, ...intentsOf(record.entries)]);
  const size = record.type === "done" ? DONE_BYTES : GONE_BYTES;
  const body = Buffer.alloc(record.entries.length * size);
  const ended: readonly GoneEntry[] = record.entries;
  ended.forEach(({ digest, intent }, index) => {
    digest.copy(body, index * size, 0, DIGEST_BYTES);
    body.writeDoubleLE(intent, index * size + DIGEST_BYTES);
  });
  if (record.type === "done")
    record.entries.forEach(({ offset }, index) => body.writeDoubleLE(offset, index * size + GONE_BYTES));
  return Buffer.concat([head, body]);
};

const intentsOf = (entries: readonly IntentEntry[]): readonly Buffer[] => {
  const topics: TopicRef[] = [];
  const body = Buffer.alloc(entries.length * INTENT_BYTES);
  entries.forEach(({ digest, kind, window, payload, topic, partition, from, request }, index) => {
    let number = topics.at(-1) === topic ? topics.length - 1 : numberOf(topics, topic);
    if (number === -1) number = topics.push(topic) - 1;
    let at = index * INTENT_BYTES;
    at = body.writeUInt16LE(number, at);
    at = body.writeUInt8((kind === "call" ? IS_CALL : 0) | (payload === undefined ? 0 : HAS_PAYLOAD), at);
    at += digest.copy(body, at, 0, DIGEST_BYTES);
    at = body.writeUInt32LE(partition, at);
    at = body.writeDoubleLE(from, at);
    at = body.writeUIntLE(window, at, 6);
    at = body.writeUInt32LE(request, at);
    payload?.copy(body, at, 0, PAYLOAD_BYTES);
  });
  const list = topics.flatMap(({ name, id }) => [sized(name), sized(id)]);
  const count = Buffer.alloc(2);
  count.writeUInt16LE(topics.length);
  return [count, ...list, body];
};

const numberOf = (topics: readonly TopicRef[], { name, id }: TopicRef): number =>
  topics.findIndex((known) => known.name === name && known.id === id);

const sized = (text: string): Buffer => {
  const bytes = Buffer.from(text);
  const size = Buffer.alloc(2);
  size.writeUInt16LE(bytes.length);
  return Buffer.concat([size, bytes]);
};

/** undefined: the bytes are not a record of this version. */
export const decodeSlotRecord = (bytes: Buffer): SlotRecord | undefined => {
  if (bytes.length < HEAD_BYTES || bytes.readUInt8(0) !== VERSION) return undefined;
  const type = TYPES[bytes.readUInt8(1)];
  const head = {
    writer: { process: bytes.toString("hex", 2, 10), tenure: bytes.readUInt32LE(10) },
    ids: bytes.readUIntLE(14, 6),
  };
  const count = bytes.readUInt16LE(20);
  if (type === undefined || count > MAX_ENTRIES) return undefined;
  const body = bytes.subarray(HEAD_BYTES);
  if (type === "fence") return body.length === 0 ? { ...head, type } : undefined;
  if (type === "intent") {
    const entries = decodeIntents(body, count);
    return entries === undefined ? undefined : { ...head, type, entries };
  }
  return decodeEnds(head, type, body, count);
};

const isOffset = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

const decodeEnds = (
  head: Head,
  type: "done" | "gone",
  body: Buffer,
  count: number,
): SlotRecord | undefined => {
  const size = type === "done" ? DONE_BYTES : GONE_BYTES;
  if (body.length !== count * size) return undefined;
  const entries: DoneEntry[] = [];
  for (let at = 0; at < body.length; at += size) {
    const intent = body.readDoubleLE(at + DIGEST_BYTES);
    const offset = type === "done" ? body.readDoubleLE(at + GONE_BYTES) : 0;
    if (!isOffset(intent) || !isOffset(offset)) return undefined;
    entries.push({ digest: body.subarray(at, at + DIGEST_BYTES), intent, offset });
  }
  return { ...head, type, entries };
};

const decodeIntents = (body: Buffer, count: number): readonly IntentEntry[] | undefined => {
  const list = decodeTopics(body);
  if (list === undefined || body.length - list.end !== count * INTENT_BYTES) return undefined;
  const entries: IntentEntry[] = [];
  for (let at = list.end; at < body.length; at += INTENT_BYTES) {
    const topic = list.topics[body.readUInt16LE(at)];
    const flags = body.readUInt8(at + 2);
    const rest = at + 3 + DIGEST_BYTES;
    const from = body.readDoubleLE(rest + 4);
    if (topic === undefined || !isOffset(from)) return undefined;
    entries.push({
      digest: body.subarray(at + 3, rest),
      kind: (flags & IS_CALL) === 0 ? "event" : "call",
      window: body.readUIntLE(rest + 12, 6),
      payload: (flags & HAS_PAYLOAD) === 0 ? undefined : body.subarray(rest + 22, rest + 22 + PAYLOAD_BYTES),
      topic,
      partition: body.readUInt32LE(rest),
      from,
      request: body.readUInt32LE(rest + 18),
    });
  }
  return entries;
};

const decodeTopics = (
  body: Buffer,
): { readonly topics: readonly TopicRef[]; readonly end: number } | undefined => {
  if (body.length < 2) return undefined;
  const texts: string[] = [];
  let at = 2;
  for (let left = body.readUInt16LE(0) * 2; left > 0; left -= 1) {
    if (at + 2 > body.length) return undefined;
    const end = at + 2 + body.readUInt16LE(at);
    if (end > body.length) return undefined;
    texts.push(body.toString("utf8", at + 2, end));
    at = end;
  }
  const topics: TopicRef[] = [];
  for (let index = 0; index < texts.length; index += 2)
    topics.push({ name: texts[index] ?? "", id: texts[index + 1] ?? "" });
  return { topics, end: at };
};
