/** `consume/batch` at the home of its group: the calls `/batch`, and their answers. */
import type { PeerAnswer } from "../home/peers/peers.ts";
import type { PullConsumers } from "./consume.ts";
import type { ReaderApi } from "./readers.ts";
import type { Pull } from "./waiting-pull.ts";

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
}

export interface BatchObserver {
  /** An answer has ended. `isSent`: its events are consumed; otherwise they are free again. */
  readonly answered: (events: number, isSent: boolean) => void;
}

export const createBatchApi = (consumers: PullConsumers, observer: BatchObserver): ReaderApi => ({
  path: BATCH_PATH,
  serve: async ({ group, body, waitMs, signal }) => {
    const { owner, topic, from, maxRecords } = body as BatchCall;
    const pull = await consumers.pull(group, { owner, topic, from, maxRecords, waitMs, signal });
    return answerOf(pull, observer);
  },
  closed: (slot) => {
    for (const group of slot.claimed("batch")) consumers.close(group);
    return Promise.resolve();
  },
});

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

const answerOf = (pull: Pull, { answered }: BatchObserver): PeerAnswer => {
  const { texts } = pull;
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
