/** Requests, events and bytes a second that a caller is held to, and a client address. They hold per process. */
import { LRUCache } from "lru-cache";
import type { Limits, Principal } from "../../auth/principal.ts";
import { GatewayError } from "../../errors.ts";
import { drain, emptyBucket, secondsUntil, type Bucket, type Rate } from "./bucket.ts";

export interface Caller {
  readonly principal: Principal;
  /** Network address of the client. */
  readonly address: () => string;
}

export interface Demand {
  readonly requests: number;
  readonly events: number;
  readonly bytes: number;
}

/** What is left of the limit that is nearest to its end. */
export interface Quota {
  readonly limit: number;
  readonly remaining: number;
  /** Seconds until all of it is there again. */
  readonly reset: number;
}

export interface Rates {
  /** Takes all of the demand, or nothing and says why: RATE_LIMITED, with the time after which it would be taken. */
  take(caller: Caller, demand: Demand): GatewayError | undefined;
  /** undefined: the caller has no limits. */
  quota(caller: Caller): Quota | undefined;
}

export interface RatesOptions {
  /** Limits of each client address. */
  readonly perAddress: Limits;
  /** Addresses that are remembered; beyond, the one not seen for longest starts afresh. */
  readonly maxAddresses?: number;
  /** Milliseconds of a clock that never jumps. */
  readonly now: () => number;
}

const DEFAULT_BURST = 1000;

type Unit = keyof Demand;
type Buckets = Record<Unit, Bucket>;

interface BucketStore {
  get(name: string): Buckets | undefined;
  set(name: string, buckets: Buckets): unknown;
}

type UnitRates = readonly (readonly [Unit, Rate])[];

/** What one caller or address is held to, beside what it has used. */
interface Held {
  readonly rates: UnitRates;
  readonly buckets: Buckets;
}

export const createRates = ({ perAddress, maxAddresses = 50_000, now }: RatesOptions): Rates => {
  const ratesOf = rememberedRates();
  const principals = new Map<string, Buckets>();
  const addresses = new LRUCache<string, Buckets>({ max: maxAddresses });

  const bucketsOf = (store: BucketStore, name: string): Buckets => {
    const known = store.get(name);
    if (known !== undefined) return known;
    const made = { requests: emptyBucket(now()), events: emptyBucket(now()), bytes: emptyBucket(now()) };
    store.set(name, made);
    return made;
  };

  /** Most callers have no limits: nothing is looked up for them. */
  const heldTo = ({ principal, address }: Caller): readonly Held[] => {
    const own = ratesOf(principal.limits);
    const shared = ratesOf(perAddress);
    if (own.length === 0 && shared.length === 0) return NONE;
    const held: Held[] = [];
    if (own.length > 0) {
      held.push({ rates: own, buckets: bucketsOf(principals, `${principal.kind} ${principal.name}`) });
    }
    if (shared.length > 0) held.push({ rates: shared, buckets: bucketsOf(addresses, address()) });
    return held;
  };

  return {
    take: (caller, demand) => {
      const held = heldTo(caller);
      if (held === NONE) return undefined;
      const seconds = secondsUntilAll(held, demand, now());
      if (seconds > 0) return new GatewayError("RATE_LIMITED", { retryAfter: seconds });
      for (const { rates, buckets } of held) for (const [unit] of rates) buckets[unit].used += demand[unit];
      return undefined;
    },
    quota: (caller) => {
      const held = heldTo(caller);
      return held === NONE ? undefined : tightest(held, now());
    },
  };
};

const NONE: readonly Held[] = [];

/** Limits are few objects that live long: what they come to is worked out once for each. */
const rememberedRates = (): ((limits: Limits) => UnitRates) => {
  const remembered = new WeakMap<Limits, UnitRates>();
  return (limits) => {
    const known = remembered.get(limits);
    if (known !== undefined) return known;
    const made = unitRates(limits);
    remembered.set(limits, made);
    return made;
  };
};

const unitRates = (limits: Limits): UnitRates => {
  const seconds = (limits.burst ?? DEFAULT_BURST) / 1000;
  const named = [
    ["requests", limits.requestsPerSecond],
    ["events", limits.eventsPerSecond],
    ["bytes", limits.bytesPerSecond],
  ] as const;
  return named.flatMap(([unit, perSecond]) =>
    perSecond === undefined ? [] : [[unit, { perSecond, capacity: perSecond * seconds }] as const],
  );
};

const secondsUntilAll = (held: readonly Held[], demand: Demand, now: number): number => {
  let seconds = 0;
  for (const { rates, buckets } of held) {
    for (const [unit, rate] of rates) {
      if (demand[unit] === 0) continue;
      drain(buckets[unit], rate, now);
      seconds = Math.max(seconds, secondsUntil(buckets[unit], rate, demand[unit]));
    }
  }
  return seconds;
};

const tightest = (held: readonly Held[], now: number): Quota => {
  const all = held.flatMap(({ rates, buckets }) =>
    rates.map(([unit, rate]) => {
      drain(buckets[unit], rate, now);
      return { rate, used: buckets[unit].used, share: buckets[unit].used / rate.capacity };
    }),
  );
  const { rate, used } = all.reduce((most, one) => (one.share > most.share ? one : most));
  return {
    limit: Math.floor(rate.capacity),
    remaining: Math.max(0, Math.floor(rate.capacity - used)),
    reset: Math.ceil(used / rate.perSecond),
  };
};
