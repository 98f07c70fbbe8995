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

export type Verdict =
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
