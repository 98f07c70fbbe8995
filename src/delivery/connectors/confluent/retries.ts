/** Which statuses are retried, and how long the connector waits. */
import type { HttpResult } from "../../engine/delivery-plan.ts";
import type { Failure, Verdict } from "../../engine/strategy.ts";
import type { RetryState } from "../../engine/strategy.ts";
import type { Parse } from "../config-values.ts";

type StatusRange = readonly [first: number, last: number];

const RANGE = /^(\d{3})(?:(-)(\d{3})?)?$/;

const rangeOf = (item: string): StatusRange | undefined => {
  const [, first, dash, last] = RANGE.exec(item) ?? [];
  if (first === undefined) return undefined;
  const end = last ?? (dash === undefined ? first : "999");
  return Number(first) > Number(end) ? undefined : [Number(first), Number(end)];
};

/** For example `404,408,500-` or `400-429`. Both ends of a range are included. */
export const statusRanges: Parse<readonly StatusRange[]> = (raw) => {
  const items = raw.split(",").map((item) => item.trim());
  const ranges = items.map(rangeOf);
  const wrong = items.find((_, index) => ranges[index] === undefined);
  if (wrong === undefined) return { value: ranges.flatMap((range) => (range === undefined ? [] : [range])) };
  return { reason: `'${wrong}' is no status, and no range such as 400-429 or 500-` };
};

export interface RetryModel {
  readonly statuses: readonly StatusRange[];
  readonly maxRetries: number;
  readonly backOffMs: number;
  readonly policy: "constant_value" | "exponential_with_jitter";
}

/** A status in 200–299 is a success. A status that isn't retried is a failure at once, also a redirect. */
export const answerMeans = (result: HttpResult, { statuses }: RetryModel): "done" | Failure => {
  if ("kind" in result) return "retry";
  const { status } = result;
  if (status >= 200 && status < 300) return "done";
  return statuses.some(([first, last]) => status >= first && status <= last) ? "retry" : "final";
};

/** A longer wait would never end in practice, and timers have a limit. */
const MAX_WAIT_MS = 24 * 60 * 60 * 1000;

/** exponential_with_jitter: wait n is between the back-off and 2^(n-1) times the back-off, at most a day. */
export const afterFailure = (
  { maxRetries, backOffMs, policy }: RetryModel,
  state: RetryState,
  failure: Failure,
  exhausted: "drop" | "stop",
): Verdict => {
  if (failure === "final" || state.retries >= maxRetries) return { action: exhausted };
  const next = { ...state, retries: state.retries + 1 };
  if (policy === "constant_value") return { action: "wait", ms: backOffMs, state: next };
  const upToMs = Math.max(backOffMs, Math.min(backOffMs * 2 ** state.retries, MAX_WAIT_MS));
  return { action: "wait", ms: backOffMs, upToMs, state: next };
};
