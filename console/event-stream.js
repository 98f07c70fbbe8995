/** Reads server-sent events with fetch, because an EventSource doesn't give the reason of a refusal. */
import { call } from "./api.js";

/** Milliseconds without input after which the connection counts as dead: three heartbeat intervals. */
const SILENCE = 45_000;

/**
 * Calls `onEvent` for each event until the stream ends. Rejects as `call` does, after an abort, and if nothing arrives for `SILENCE`.
 * @param {string} path
 * @param {AbortSignal} signal
 * @param {(event: string, data: unknown) => void} onEvent
 */
export const readEvents = async (path, signal, onEvent) => {
  const silent = new AbortController();
  const answer = await call(path, { signal: AbortSignal.any([signal, silent.signal]) });
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
      const { event, data } = fieldsOf(block);
      if (data !== undefined) onEvent(event ?? "message", JSON.parse(data));
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
