/** `consume/batch` at the home of its group: the calls `/batch`, and their answers. */
import type { ConsumedRecord } from "../broker/broker.ts";
import type { PeerAnswer } from "../home/peers/peers.ts";
import type { Decoded, Decoder, Decoding } from "../registry/decoder.ts";
import type { PullConsumers } from "./consume.ts";
import type { KeptEvent } from "./partition-hand-out.ts";
import type { ReaderApi } from "./readers.ts";
import { MAX_ANSWER_BYTES, type Pull } from "./waiting-pull.ts";

export const BATCH_PATH = "/batch";

/** The header with the number of an answer's events, for the request log of the receiving process. The client does not get it. */
export const EVENTS_HEADER = "events";

/** The body of a call. The receiving process has checked the rights. */
export interface BatchCall {
  readonly group: string;
  readonly owner: string;
  readonly topic: string;
  readonly from: "earliest" | "latest";
  readonly maxRecords: number;
  readonly decode: Decoding;
}

export interface BatchOptions {
  /** undefined: there is no schema registry now. */
  readonly decoder: () => Decoder | undefined;
  /** The JSON of an event. */
  readonly toText: (record: ConsumedRecord, decoded?: Decoded) => Buffer;
  /** An answer has ended. `isSent`: its events are consumed; otherwise they are free again. */
  readonly answered: (events: number, isSent: boolean) => void;
  /** Maximum bytes of the decoded events of one answer, which has at least one event. */
  readonly maxBytes?: number;
}

/** What the consumers keep of a record until a call takes it. */
export const keptEvent =
  ({ decoder, toText }: Pick<BatchOptions, "decoder" | "toText">) =>
  (record: ConsumedRecord): KeptEvent =>
    decoder() === undefined ? toText(record) : record;

export const createBatchApi = (consumers: PullConsumers, options: BatchOptions): ReaderApi => ({
  path: BATCH_PATH,
  serve: async ({ group, body, waitMs, signal }) => {
    const { owner, topic, from, maxRecords, decode } = body as BatchCall;
    const pull = await consumers.pull(group, { owner, topic, from, maxRecords, waitMs, signal });
    try {
      return answerOf(pull, await textsOf(pull, decode, options), options);
    } catch (error) {
      pull.release();
      throw error;
    }
  },
  closed: (slot) => {
    for (const group of slot.claimed("batch")) consumers.close(group);
    return Promise.resolve();
  },
});

const isRecord = (event: KeptEvent): event is ConsumedRecord => !Buffer.isBuffer(event);

/** The JSON of the events. Rejects with REGISTRY_UNAVAILABLE. */
const textsOf = async (
  pull: Pull,
  decode: Decoding,
  { decoder: inUse, toText, maxBytes = MAX_ANSWER_BYTES }: BatchOptions,
): Promise<readonly Buffer[]> => {
  const { events } = pull;
  const decoder = inUse();
  if (decoder === undefined || decode === "none")
    return events.map((event) => (isRecord(event) ? toText(event) : event));
  await decoder.prepare(events.filter(isRecord));
  const texts: Buffer[] = [];
  let bytes = 0;
  for (const event of events) {
    const text = isRecord(event) ? toText(event, decoder.decode(event, "value", decode)) : event;
    bytes += text.length;
    // The JSON of a small record can be large. The next call gets the rest.
    if (bytes > maxBytes && texts.length > 0) break;
    texts.push(text);
  }
  if (texts.length < events.length) pull.keep(texts.length);
  return texts;
};

const [OPEN, COMMA, CLOSE] = [0x5b, 0x2c, 0x5d];

/** The JSON array of the texts, in one buffer. */
const arrayOf = (texts: readonly Buffer[]): Buffer => {
  let length = Math.max(2, texts.length + 1);
  for (const text of texts) length += text.length;
  const array = Buffer.allocUnsafe(length);
  let at = 0;
  for (const text of texts) {
    array[at] = at === 0 ? OPEN : COMMA;
    array.set(text, at + 1);
    at += text.length + 1;
  }
  if (at === 0) array[0] = OPEN;
  array[length - 1] = CLOSE;
  return array;
};

const answerOf = (pull: Pull, texts: readonly Buffer[], { answered }: BatchOptions): PeerAnswer => {
  let isEnded = false;
  return {
    status: 200,
    headers: { "Content-Type": "application/json", [EVENTS_HEADER]: String(texts.length) },
    body: arrayOf(texts),
    ended: (sentWhole) => {
      if (isEnded) return;
      isEnded = true;
      if (sentWhole) void pull.consume();
      else pull.release();
      answered(texts.length, sentWhole);
    },
  };
};
