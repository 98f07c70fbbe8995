/** Slows down guessing: counts failures by name, and refuses further attempts until the window has passed. */
import { LRUCache } from "lru-cache";
import { GatewayError } from "../errors.ts";
import { digestOf } from "./secrets.ts";

export interface FailureThrottle {
  /** Throws LOGIN_THROTTLED, with the seconds to wait, if the name has reached the limit. */
  check(name: string): void;
  failed(name: string): void;
}

export interface ThrottleOptions {
  /** Maximum failures of one name within the window. */
  readonly limit: number;
  readonly windowMs: number;
  /** Maximum number of remembered names. Above it, the name with the oldest failure is forgotten. */
  readonly maxNames?: number;
  /** Milliseconds of a monotonic clock. */
  readonly now?: () => number;
}

const monotonic = (): number => performance.now();

/**
 * A sliding window: at most `limit` failures in any `windowMs`. Its memory is bounded. A guesser who sends `maxNames` other
 * names gets one more window.
 */
export const createFailureThrottle = (options: ThrottleOptions): FailureThrottle => {
  const { limit, windowMs, maxNames = 20_000, now = monotonic } = options;
  const failures = new LRUCache<string, readonly number[]>({ max: maxNames });
  // Names come from requests and may be long. A digest is short.
  const recent = (key: string): readonly number[] =>
    (failures.get(key) ?? []).filter((time) => time > now() - windowMs);

  return {
    check: (name) => {
      const times = recent(digestOf(name));
      const [oldest] = times;
      if (oldest === undefined || times.length < limit) return;
      throw new GatewayError("LOGIN_THROTTLED", {
        retryAfter: Math.max(1, Math.ceil((oldest + windowMs - now()) / 1000)),
      });
    },
    failed: (name) => {
      const key = digestOf(name);
      failures.set(key, [...recent(key), now()].slice(-limit));
    },
  };
};
