/** The back-off timers of records and batches. */
import type { Clock } from "../../lib/clock.ts";
import type { Unit } from "./batches/batch.ts";

export interface Timers {
  /** Number of units. */
  readonly size: number;
  /** Calls `onTime` after `ms` milliseconds, unless the timer is cancelled before. */
  start(unit: Unit, ms: number, onTime: () => void): void;
  /** Cancels the timers of the units for which `matches` is true, and returns these units. */
  cancel(matches: (unit: Unit) => boolean): readonly Unit[];
}

export const createTimers = (clock: Clock): Timers => {
  const timers = new Map<Unit, () => void>();
  return {
    get size() {
      return timers.size;
    },
    start(unit, ms, onTime) {
      const cancel = clock.after(ms, () => {
        timers.delete(unit);
        onTime();
      });
      timers.set(unit, cancel);
    },
    cancel(matches) {
      const cancelled = [...timers.keys()].filter(matches);
      for (const unit of cancelled) {
        timers.get(unit)?.();
        timers.delete(unit);
      }
      return cancelled;
    },
  };
};
