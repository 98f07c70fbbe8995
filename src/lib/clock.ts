/** Time as a dependency. Code that waits or measures takes a clock, so that a test can advance it by hours at once. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds of a monotonic clock, the same in all processes of the machine. */
  monotonic(): number;
  /** Calls `action` once after `ms` milliseconds, without an upper limit. The returned function cancels the call. */
  after(ms: number, action: () => void): () => void;
}

/** Of a millisecond. */
const NANOSECONDS = 1_000_000n;

/** Node's timers overflow above 2^31 - 1 ms (24.8 days) and then fire at once, so a longer wait uses several timers. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Starts a timer. Tests pass a fake. */
export type StartTimer = (action: () => void, ms: number) => { readonly stop: () => void };

const nodeTimer: StartTimer = (action, ms) => {
  const timer = setTimeout(action, ms);
  return {
    stop: () => {
      clearTimeout(timer);
    },
  };
};

export const createClock = (startTimer: StartTimer): Clock => ({
  now: () => Date.now(),
  monotonic: () => Number(process.hrtime.bigint() / NANOSECONDS),
  after: (ms, action) => {
    let timer: ReturnType<StartTimer>;
    const wait = (left: number): void => {
      timer =
        left > LONGEST_TIMER_MS
          ? startTimer(() => {
              wait(left - LONGEST_TIMER_MS);
            }, LONGEST_TIMER_MS)
          : startTimer(action, left);
    };
    wait(ms);
    return () => {
      timer.stop();
    };
  },
});

export const systemClock = createClock(nodeTimer);

/** Resolves after `ms` milliseconds, without an upper limit, or as soon as the signal is aborted. */
export const pause = (clock: Clock, ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const end = (): void => {
      cancel();
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(ms, end);
    signal?.addEventListener("abort", end, { once: true });
  });

/** Settles as `work` does, or resolves to undefined after `ms` milliseconds, or as soon as the signal is aborted. */
export const atMost = async <T>(
  clock: Clock,
  ms: number,
  work: T | Promise<T>,
  signal?: AbortSignal,
): Promise<T | undefined> => {
  let end = (): void => undefined;
  const over = new Promise<undefined>((resolve) => {
    end = () => {
      resolve(undefined);
    };
  });
  const cancel = clock.after(ms, end);
  signal?.addEventListener("abort", end);
  if (signal?.aborted === true) end();
  try {
    return await Promise.race([work, over]);
  } finally {
    cancel();
    signal?.removeEventListener("abort", end);
  }
};
