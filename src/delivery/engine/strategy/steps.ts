import type { RetryState, Strategy, Verdict } from "./strategy.ts";

/** The next unused step of the `retry` schedule, else `exhausted`. */
export const retryStep = (
  schedule: readonly number[],
  state: RetryState,
  exhausted: "drop" | "stop",
): Verdict => {
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
export const strategyOf = (
  down: readonly number[],
  afterRetry: (state: RetryState) => Verdict,
): Strategy => ({
  after: (state, failure) => (failure === "down" ? downStep(down, state) : afterRetry(state)),
});
