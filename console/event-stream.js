/** Reads server-sent events with fetch, because an EventSource doesn't give the reason of a refusal. */
import { call } from "./api.js";

/** Milliseconds without input after which the connection counts as dead: three heartbeat intervals. */
const SILENCE = 45_000;

/**
 * @typedef {object} StreamEvent
 * @property {string} name `message`, `gap` or `end`
 * @property {unknown} data undefined: the block has only an id
 * @property {string | undefined} id the position after this event
 */

/**
 * Calls `onEvent` for each event until the stream ends. Rejects as `call` does, after an abort, and if nothing arrives for `SILENCE`.
 * @param {string} path
 * @param {{ signal: AbortSignal, lastId: string | undefined, onEvent: (event: StreamEvent) => void }} options
 */
export const readEvents = async (path, { signal, lastId, onEvent }) => {
  const silent = new AbortController();
  const answer = await call(path, {
    signal: AbortSignal.any([signal, silent.signal]),
    headers: lastId === undefined ? {} : { "last-event-id": lastId },
  });
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) return;
  let pending = "";
  for (;;) {
    const timer = setTimeout(() => silent.abort(), SILENCE);
    const { done, value } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    const blocks = (pending + value).split("\n\n");
    pending = blocks.pop() ?? "";
    for (const block of blocks) {
      const { event = "message", data, id } = fieldsOf(block);
      if (data !== undefined || id !== undefined)
        onEvent({ name: event, data: data === undefined ? undefined : JSON.parse(data), id });
    }
  }
};

/**
 * A heartbeat is a comment and has no fields.
 * @param {string} block
 * @returns {Record<string, string | undefined>}
 */
const fieldsOf = (block) =>
  Object.fromEntries(
    block.split("\n").flatMap((line) => {
      const colon = line.indexOf(": ");
      return colon <= 0 ? [] : [[line.slice(0, colon), line.slice(colon + 2)]];
    }),
  );
