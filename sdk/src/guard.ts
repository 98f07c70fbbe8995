/** Calls of browser APIs that may be missing, throw or never answer. */

/** A longer timer overflows and fires at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** The result of `work`; undefined if it throws. */
export const tried = <T>(work: () => T): T | undefined => {
  try {
    return work();
  } catch {
    return undefined;
  }
};

/** A timer of at most 24.8 days. */
export const later = (action: () => void, ms: number): ReturnType<typeof setTimeout> =>
  setTimeout(action, Math.min(ms, LONGEST_TIMER));

/** Settles as `work` does; rejects after `ms` milliseconds, and then calls `onTimeout`. */
export const within = <T>(ms: number, work: Promise<T>, onTimeout?: () => void): Promise<T> =>
  new Promise((resolve, reject) => {
    const timer = later(() => {
      reject(new TypeError("no answer in time"));
      onTimeout?.();
    }, ms);
    work.then(resolve, reject).finally(() => {
      clearTimeout(timer);
    });
  });
