/** Slows down guessing: counts failures by name and refuses further attempts for a while. */
import { LRUCache } from "lru-cache";
import { GatewayError } from "../errors.ts";
import { digestOf } from "./secrets.ts";

export interface FailureThrottle {
  /** Throws LOGIN_THROTTLED, with the seconds to wait, once the name has used up its failures. */
  check(name: string): void;
  failed(name: string): void;
}

export interface ThrottleOptions {
  /** Failures that a name may have within the window. */
  readonly limit: number;
  readonly windowMs: number;
  /** Names that are remembered; beyond, the one that failed longest ago is forgotten. */
  readonly maxNames?: number;
  /** Milliseconds of a clock that is never set back or ahead. */
  readonly now?: () => number;
}

const monotonic = (): number => performance.now();

/**
 * A sliding window: never more than `limit` failures in any stretch of `windowMs`. Its memory is bounded however many
 * names are made up, and making up 20,000 of them buys a guesser one more window.
 */
export const createFailureThrottle = (options: ThrottleOptions): FailureThrottle => {
  const { limit, windowMs, maxNames = 20_000, now = monotonic } = options;
  const failures = new LRUCache<string, readonly number[]>({ max: maxNames });
  // Names come from requests and may be long; a digest isn't.
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
