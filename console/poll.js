/** Asking again and again, for as long as a view is there. */
import { wordsOf } from "./api.js";
import { say } from "./dom.js";

/**
 * What it returns loads at once, and from then on loads are repeated, each so long after the end of the one before: two
 * never overlap. Called again it loads anew, after a load that is under way, whose answer may be older than the call.
 * @param {AbortSignal} signal ends it
 * @param {number} every in milliseconds
 * @param {() => Promise<void>} load
 * @param {Element} [trouble] says why the last load failed, and nothing when it did not
 * @returns {() => Promise<void>} resolves when it has loaded or failed; never rejects
 */
export const poll = (signal, every, load, trouble) => {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let last = Promise.resolve();
  const tell = (/** @type {string} */ words) => {
    if (trouble !== undefined && !signal.aborted) say(trouble, words);
  };
  const once = async () => {
    clearTimeout(timer);
    await load().then(
      () => tell(""),
      (error) => tell(wordsOf(error)),
    );
    if (!signal.aborted) timer = setTimeout(now, every);
  };
  const now = () => (last = last.then(once));
  signal.addEventListener("abort", () => clearTimeout(timer));
  return now;
};
