/** Limits guesses: counts failures by name, and refuses further attempts until the window has passed. */
import { isIPv6 } from "node:net";
import { LRUCache } from "lru-cache";
import { GatewayError } from "../errors.ts";
import { digestOf } from "./secrets.ts";

export interface FailureThrottle {
  /** Throws LOGIN_THROTTLED, with the seconds to wait, if the name has reached the limit. */
  check(name: string): void;
  failed(name: string): void;
}

/** The times of failures by name. It can outlive the throttle, so that a reload of the settings allows no further guesses. */
export type FailureMemory = LRUCache<string, readonly number[]>;

/** `maxNames`: maximum number of remembered names. Above it, the name with the oldest failure is forgotten. */
export const createFailureMemory = (maxNames = 20_000): FailureMemory => new LRUCache({ max: maxNames });

interface ThrottleOptions {
  /** Maximum failures of one name within the window. */
  readonly limit: number;
  readonly windowMs: number;
  /** Default: a memory of its own. */
  readonly failures?: FailureMemory;
  /** Milliseconds of a monotonic clock. */
  readonly now?: () => number;
}

const monotonic = (): number => performance.now();

/**
 * A sliding window: at most `limit` failures in any `windowMs`. Its memory is bounded, so a client that fails with
 * as many other names as the memory holds gets a new window for the first name.
 */
export const createFailureThrottle = (options: ThrottleOptions): FailureThrottle => {
  const { limit, windowMs, failures = createFailureMemory(), now = monotonic } = options;
  // Names come from requests and may be long. A digest is short.
  const recent = (key: string): readonly number[] =>
    (failures.get(key) ?? []).filter((time) => time > now() - windowMs);

  return {
    check: (name) => {
      const oldest = recent(digestOf(name)).at(-limit);
      if (oldest === undefined) return;
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

const MAPPED = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i;

/** The first 64 bits are the network. An IPv6 client can choose any address in it. */
const GROUPS = 4;

/**
 * The key of a client in limits by address: the IPv4 address, or the /64 network of the IPv6 address. An IPv4-mapped IPv6
 * address counts as IPv4.
 */
export const networkOf = (address: string): string => {
  const mapped = MAPPED.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [head = "", tail] = address.toLowerCase().replace(/%.*$/, "").split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  // An IPv4 part at the end has the length of two groups.
  const length =
    before.length + after.length + ([...before, ...after].at(-1)?.includes(".") === true ? 1 : 0);
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - length }, () => "0");
  const groups = [...before, ...zeros, ...after].slice(0, GROUPS);
  return `${groups.map((group) => group.replace(/^0+(?=.)/, "")).join(":")}::/64`;
};
