import type { Strategy } from "./strategy.ts";

/** Never gives a record up: the waits of the schedule (milliseconds), and then the last of them again and again. */
export const retryForEver = (schedule: readonly number[]): Strategy => ({
  after: (state) => ({
    action: "wait",
    ms: schedule[Math.min(state.retries, schedule.length - 1)] ?? 0,
    state: { ...state, retries: state.retries + 1 },
  }),
});
