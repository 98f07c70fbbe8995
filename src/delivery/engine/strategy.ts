/**
 * Exception strategies: they decide what follows a failed attempt. A strategy is a pure function from the retries so far
 * and the newest failure to the next step. It uses no clock and no I/O.
 */

import type { ConsumedRecord } from "../../broker/broker.ts";

/** `down`: the endpoint itself is down. `final`: no retry can help. `retry`: any other failure. */
export type Failure = "retry" | "down" | "final";

/** Number of steps that one record has used of each schedule. The two schedules count separately. */
export interface RetryState {
  readonly retries: number;
  readonly downs: number;
}

/** State of a record before its first attempt. */
export const FIRST_ATTEMPT: RetryState = { retries: 0, downs: 0 };

export type Verdict =
  /** `upToMs`: the wait is a random time between `ms` and `upToMs`. Absent: the wait is `ms`. */
  | {
      readonly action: "wait";
      readonly ms: number;
      readonly upToMs?: number;
      readonly state: RetryState;
    }
  | { readonly action: "drop" }
  | { readonly action: "stop" };

export interface Strategy {
  /** `record`: the first record of a batch. */
  after(state: RetryState, failure: Failure, record: ConsumedRecord): Verdict;
}

/** Waits between attempts, in milliseconds. */
export interface Schedules {
  readonly retry: readonly number[];
  readonly down: readonly number[];
}

/** Returns the next unused step of the `retry` schedule, or `exhausted`. */
const retryStep = (schedule: readonly number[], state: RetryState, exhausted: "drop" | "stop"): Verdict => {
  const ms = schedule[state.retries];
  if (ms === undefined) return { action: exhausted };
  return { action: "wait", ms, state: { ...state, retries: state.retries + 1 } };
};

const downStep = (schedule: readonly number[], state: RetryState): Verdict => {
  const ms = schedule[state.downs];
  if (ms === undefined) return { action: "stop" };
  return { action: "wait", ms, state: { ...state, downs: state.downs + 1 } };
};

/**
 * Makes a strategy from its reaction to `retry`. All strategies treat `down` in the same way: they use the `down`
 * schedule, then stop. Dropping would lose all records of the topic while the endpoint is down.
 */
const strategyOf = (down: readonly number[], afterRetry: (state: RetryState) => Verdict): Strategy => ({
  after: (state, failure) => (failure === "down" ? downStep(down, state) : afterRetry(state)),
});

/** Retries after each wait of the schedule, then drops the record. */
export const progressBackOffDropMessage = (schedules: Schedules): Strategy =>
  strategyOf(schedules.down, (state) => retryStep(schedules.retry, state, "drop"));

/** Retries after each wait of the schedule, then stops the task at this record. */
const progressBackOffStopTask = (schedules: Schedules): Strategy =>
  strategyOf(schedules.down, (state) => retryStep(schedules.retry, state, "stop"));

/** Drops the record after one attempt. */
const dropMessage = (schedules: Schedules): Strategy =>
  strategyOf(schedules.down, () => ({ action: "drop" }));

/** Stops the task at the record after one attempt. */
const stopTask = (schedules: Schedules): Strategy => strategyOf(schedules.down, () => ({ action: "stop" }));

/** Waits the same time before each retry, whatever has failed. */
export const fixedBackOff = (maxRetries: number, ms: number, exhausted: "drop" | "stop"): Strategy => ({
  after: (state) =>
    state.retries < maxRetries
      ? { action: "wait", ms, state: { ...state, retries: state.retries + 1 } }
      : { action: exhausted },
});

/** Never drops a record. Uses the waits of the schedule (milliseconds); the last wait repeats. */
export const retryForEver = (schedule: readonly number[]): Strategy => ({
  after: (state) => ({
    action: "wait",
    ms: schedule[Math.min(state.retries, schedule.length - 1)] ?? 0,
    state: { ...state, retries: state.retries + 1 },
  }),
});

/** The strategies by their names in `exception.strategy`. */
export const STRATEGIES = {
  PROGRESS_BACK_OFF_DROP_MESSAGE: progressBackOffDropMessage,
  PROGRESS_BACK_OFF_STOP_TASK: progressBackOffStopTask,
  DROP_MESSAGE: dropMessage,
  STOP_TASK: stopTask,
} as const;

export type StrategyName = keyof typeof STRATEGIES;
