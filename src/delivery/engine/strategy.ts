/**
 * Exception strategies: what follows a failed attempt. Each is a pure state machine, without clock or I/O, from the
 * attempts a record has failed so far and the newest failure to a verdict.
 */

/** `down`: the endpoint itself can't be reached; `retry`: anything else that asks for another attempt. */
export type Failure = "retry" | "down";

/** Steps used of each schedule by one record; the two count separately. */
export interface RetryState {
  readonly retries: number;
  readonly downs: number;
}

/** Where every record begins. */
export const FIRST_ATTEMPT: RetryState = { retries: 0, downs: 0 };

type Verdict =
  | { readonly action: "wait"; readonly ms: number; readonly state: RetryState }
  | { readonly action: "drop" }
  | { readonly action: "stop" };

export interface Strategy {
  after(state: RetryState, failure: Failure): Verdict;
}

/** Waits between attempts, in milliseconds. */
export interface Schedules {
  readonly retry: readonly number[];
  readonly down: readonly number[];
}

/** The next unused step of the `retry` schedule, else `exhausted`. */
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
 * A strategy out of what it does after a `retry`. An endpoint that is down is the same to all of them: its own
 * schedule, then stop, because dropping would empty the topic into nothing.
 */
const strategyOf = (down: readonly number[], afterRetry: (state: RetryState) => Verdict): Strategy => ({
  after: (state, failure) => (failure === "down" ? downStep(down, state) : afterRetry(state)),
});

/** One attempt and one more after each wait of the schedule; then the record is dropped. */
export const progressBackOffDropMessage = (schedules: Schedules): Strategy =>
  strategyOf(schedules.down, (state) => retryStep(schedules.retry, state, "drop"));

/** One attempt and one more after each wait of the schedule; then the task stops at this record. */
const progressBackOffStopTask = (schedules: Schedules): Strategy =>
  strategyOf(schedules.down, (state) => retryStep(schedules.retry, state, "stop"));

/** No second attempt: the record is dropped. */
const dropMessage = (schedules: Schedules): Strategy =>
  strategyOf(schedules.down, () => ({ action: "drop" }));

/** No second attempt: the task stops at this record. */
const stopTask = (schedules: Schedules): Strategy => strategyOf(schedules.down, () => ({ action: "stop" }));

/** Never gives a record up: the waits of the schedule (milliseconds), and then the last of them again and again. */
export const retryForEver = (schedule: readonly number[]): Strategy => ({
  after: (state) => ({
    action: "wait",
    ms: schedule[Math.min(state.retries, schedule.length - 1)] ?? 0,
    state: { ...state, retries: state.retries + 1 },
  }),
});

/** The strategies by the names that `exception.strategy` takes. */
export const STRATEGIES = {
  PROGRESS_BACK_OFF_DROP_MESSAGE: progressBackOffDropMessage,
  PROGRESS_BACK_OFF_STOP_TASK: progressBackOffStopTask,
  DROP_MESSAGE: dropMessage,
  STOP_TASK: stopTask,
} as const;

export type StrategyName = keyof typeof STRATEGIES;
