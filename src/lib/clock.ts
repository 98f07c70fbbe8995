/** Time as a dependency: what waits or measures takes a clock, so that a test can turn hours in no time. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `action` once after `ms` milliseconds; the function it returns calls it off. */
  after(ms: number, action: () => void): () => void;
}

/** Node's timers overflow beyond 2^31 ms and then fire at once: a longer wait is made of several. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, action) => {
    let timer: NodeJS.Timeout;
    const wait = (left: number): void => {
      const step = Math.min(left, LONGEST_TIMER_MS);
      timer = setTimeout(() => {
        if (step === left) action();
        else wait(left - step);
      }, step);
    };
    wait(ms);
    return () => {
      clearTimeout(timer);
    };
  },
};
