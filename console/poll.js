/** Loads repeatedly while a view is shown. */
import { wordsOf } from "./api.js";
import { say } from "./dom.js";

/**
 * Returns a function that loads now and then again and again, `every` milliseconds after the end of the previous load:
 * loads never overlap. A later call waits for a load in flight, whose response can be older than the call, and loads
 * again.
 * @param {AbortSignal} signal ends the loop
 * @param {number} every in milliseconds
 * @param {() => Promise<void>} load
 * @param {Element} [trouble] shows why the last load failed; empty after a success
 * @returns {() => Promise<void>} resolves after a success or a failure; never rejects
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
