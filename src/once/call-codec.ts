/** The bytes of a call to the home of a slot, and of its answer. */
import type { RecordHeader } from "../broker/broker.ts";
import { ERRORS, GatewayError, type ErrorCode } from "../errors.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import type { CoreEvent, CoreOutcome } from "./slot-core/port.ts";

/** Events of one slot. */
export interface SlotCall {
  readonly slot: number;
  readonly events: readonly CoreEvent[];
}

export interface OnceCall {
  readonly topic: string;
  /** The request's random number, 32 bits. */
  readonly request: number;
  /** At least one. */
  readonly slots: readonly SlotCall[];
}

/** The outcomes of the events of one slot. `moved`: the process does not hold the slot, or not for long. */
export type SlotAnswer = readonly CoreOutcome[] | "moved";

/** A call for one slot does not name it. Earlier versions of the gateway know only these calls. */
const ONE_SLOT = 1;
const SLOTS = 2;
/** In place of a number of outcomes. */
const MOVED = -1;
const NO_PARTITION = -1;
/** At least the bytes of an event without its key, value, headers and payload digest. */
const EVENT_BYTES = 100;
const HEADER_BYTES = 8;

type Event = CoreEvent | undefined;

/** The number of first headers that both events have. The events of a request share their headers, or the objects of them. */
const sharedHeaders = ({ record: { headers } }: CoreEvent, before: Event): number => {
  const known = before?.record.headers ?? [];
  if (headers === known) return headers.length;
  let shared = 0;
  while (shared < headers.length && headers[shared] === known[shared]) shared += 1;
  return shared;
};

/** At least the bytes of the event in a call, behind the event `before`. */
export const bytesOfEvent = (event: CoreEvent, before: Event): number => {
  const { id, record } = event;
  let bytes =
    EVENT_BYTES + (id.payload?.length ?? 0) + (record.key?.length ?? 0) + (record.value?.length ?? 0);
  const shared = sharedHeaders(event, before);
  if (shared === record.headers.length) return bytes;
  for (const { name, value } of record.headers.slice(shared))
    bytes += HEADER_BYTES + Buffer.byteLength(name) + (value?.length ?? 0);
  return bytes;
};

/** An event names only those headers that differ from the event before it. */
export const encodeCall = ({ topic, request, slots }: OnceCall): Buffer => {
  const [first] = slots;
  const isForOne = slots.length === 1 && first !== undefined;
  const writer = new ByteWriter()
    .number(isForOne ? ONE_SLOT : SLOTS)
    .text(topic)
    .number(request);
  if (isForOne) encodeEvents(writer, first.events);
  else {
    writer.number(slots.length);
    for (const { slot, events } of slots) encodeEvents(writer.number(slot), events);
  }
  return writer.done();
};

const encodeEvents = (writer: ByteWriter, events: readonly CoreEvent[]): void => {
  writer.number(events.length);
  let before: Event;
  for (const event of events) {
    encodeEvent(writer, event, before);
    before = event;
  }
};

const encodeEvent = (writer: ByteWriter, event: CoreEvent, before: Event): void => {
  const { id, record } = event;
  const shared = sharedHeaders(event, before);
  writer
    .bytes(id.digest)
    .number(id.window)
    .number(id.kind === "call" ? 1 : 0);
  writer
    .bytes(id.payload ?? null)
    .bytes(record.key)
    .bytes(record.value);
  writer
    .number(record.timestamp)
    .number(record.partition ?? NO_PARTITION)
    .number(record.headers.length)
    .number(shared);
  if (shared === record.headers.length) return;
  for (const { name, value } of record.headers.slice(shared)) writer.text(name).bytes(value);
};

/** `slot`: the slot of a call that names none. Rejects with REQUEST_UNSUPPORTED: the caller has another version. */
export const decodeCall = (body: Buffer, slot: number): OnceCall => {
  try {
    const reader = new ByteReader(body);
    const version = reader.number();
    if (version !== ONE_SLOT && version !== SLOTS) throw new RangeError("the call has another version");
    const topic = reader.text();
    const request = reader.number();
    if (version === ONE_SLOT) return { topic, request, slots: [{ slot, events: decodeEvents(reader) }] };
    const slots: SlotCall[] = [];
    for (let left = reader.number(); left > 0; left -= 1)
      slots.push({ slot: reader.number(), events: decodeEvents(reader) });
    return { topic, request, slots };
  } catch (cause) {
    throw new GatewayError("REQUEST_UNSUPPORTED", { cause });
  }
};

const decodeEvents = (reader: ByteReader): readonly CoreEvent[] => {
  const events: CoreEvent[] = [];
  for (let left = reader.number(); left > 0; left -= 1) events.push(decodeEvent(reader, events.at(-1)));
  return events;
};

const decodeEvent = (reader: ByteReader, before: Event): CoreEvent => {
  const digest = reader.bytes() ?? Buffer.alloc(0);
  const window = reader.number();
  const kind = reader.number() === 1 ? "call" : "event";
  const payload = reader.bytes() ?? undefined;
  const key = reader.bytes();
  const value = reader.bytes();
  const timestamp = reader.number();
  const partition = reader.number();
  const count = reader.number();
  const headers = decodeHeaders(reader, count, before?.record.headers ?? []);
  const record = { key, value, headers, timestamp };
  const id = { digest, window, kind, payload } as const;
  return { id, record: partition === NO_PARTITION ? record : { ...record, partition } };
};

const decodeHeaders = (
  reader: ByteReader,
  count: number,
  known: readonly RecordHeader[],
): readonly RecordHeader[] => {
  const shared = reader.number();
  if (shared === count && shared === known.length) return known;
  const headers = known.slice(0, shared);
  while (headers.length < count) headers.push({ name: reader.text(), value: reader.bytes() });
  return headers;
};

/** Most outcomes have this status. */
const STORED = Buffer.from("stored");

/** One answer for each slot of the call. */
export const encodeAnswer = (answers: readonly SlotAnswer[]): Buffer => {
  const writer = new ByteWriter();
  for (const answer of answers) {
    if (answer === "moved") writer.number(MOVED);
    else encodeOutcomes(writer, answer);
  }
  return writer.done();
};

const encodeOutcomes = (writer: ByteWriter, outcomes: readonly CoreOutcome[]): void => {
  writer.number(outcomes.length);
  for (const outcome of outcomes) {
    if (outcome.status !== "stored") writer.text(outcome.status);
    if (outcome.status === "stored") {
      writer.bytes(STORED).number(outcome.partition).number(outcome.offset).number(outcome.timestamp);
      writer.number(outcome.isDuplicate ? 1 : 0);
    } else if (outcome.status === "refused") writer.text(outcome.error.code).text(outcome.error.message);
  }
};

export const decodeAnswer = (body: Buffer): readonly SlotAnswer[] => {
  const reader = new ByteReader(body);
  const answers: SlotAnswer[] = [];
  while (!reader.isAtEnd) {
    const count = reader.number();
    answers.push(count === MOVED ? "moved" : Array.from({ length: count }, () => decodeOutcome(reader)));
  }
  return answers;
};

const decodeOutcome = (reader: ByteReader): CoreOutcome => {
  const name = reader.bytes();
  if (name?.equals(STORED) === true) {
    const partition = reader.number();
    const offset = reader.number();
    const timestamp = reader.number();
    return { status: "stored", partition, offset, timestamp, isDuplicate: reader.number() === 1 };
  }
  const status = name?.toString() ?? "";
  if (status === "refused") {
    const code = reader.text();
    const message = reader.text();
    return { status, error: new GatewayError(isCode(code) ? code : "INTERNAL", { message }) };
  }
  if (status === "unavailable" || status === "leaderless" || status === "reused") return { status };
  return { status: "unresolved" };
};

const isCode = (code: string): code is ErrorCode => code in ERRORS;
