/** A clock that only `advance` moves. */
import type { Clock } from "../../src/lib/clock.ts";

interface Timer {
  readonly at: number;
  readonly ms: number;
  readonly action: () => void;
}

export interface FakeClock extends Clock {
  /** Advances the clock, and calls each due action at its own time. */
  advance(ms: number): void;
  /** Sets `now`, as an operator sets the time of the machine. Timers and `monotonic` don't change. */
  set(now: number): void;
  /** Resolves when a wait of exactly this length is pending. */
  pending(ms: number): Promise<void>;
}

export const createFakeClock = (start = 1_700_000_000_000): FakeClock => {
  const timers = new Set<Timer>();
  const watchers = new Set<() => void>();
  let now = start;
  let offset = 0;

  const nextBefore = (limit: number): Timer | undefined =>
    [...timers].filter(({ at }) => at <= limit).sort((one, other) => one.at - other.at)[0];

  return {
    now: () => now + offset,
    monotonic: () => now,
    set: (time) => {
      offset = time - now;
    },
    after: (ms, action) => {
      const timer: Timer = { at: now + ms, ms, action };
      timers.add(timer);
      for (const watcher of watchers) watcher();
      return () => {
        timers.delete(timer);
      };
    },
    advance: (ms) => {
      const end = now + ms;
      for (let timer = nextBefore(end); timer !== undefined; timer = nextBefore(end)) {
        timers.delete(timer);
        now = timer.at;
        timer.action();
      }
      now = end;
    },
    pending: (ms) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (![...timers].some((timer) => timer.ms === ms)) return;
          watchers.delete(check);
          resolve();
        };
        watchers.add(check);
        check();
      }),
  };
};
