import { LRUCache } from "lru-cache";
import type { Limits, Principal } from "../auth/principal.ts";
import { GatewayError } from "../errors.ts";

/** A rate, kept by counting what has been used and letting it drain. */

interface Rate {
  /** Units a second. */
  readonly perSecond: number;
  /** Units that may be used at once. */
  readonly capacity: number;
}

/**
 * A token bucket, told the other way round: `used` drains at the rate and may reach the capacity. It knows no rate of
 * its own, so that a change of settings or a second key of the same name needs no new bucket.
 */
interface Bucket {
  used: number;
  /** When it was last drained, in milliseconds. */
  at: number;
}

const emptyBucket = (now: number): Bucket => ({ used: 0, at: now });

const drain = (bucket: Bucket, { perSecond }: Rate, now: number): void => {
  bucket.used = Math.max(0, bucket.used - (Math.max(0, now - bucket.at) * perSecond) / 1000);
  bucket.at = now;
};

/**
 * Seconds until so many units fit into a drained bucket; 0: they do. What is larger than the whole bucket fits when
 * that is empty, and overfills it: a call of 1,000 events isn't refused for ever, and what comes next waits for it.
 */
const secondsUntil = ({ used }: Bucket, { perSecond, capacity }: Rate, units: number): number => {
  const over = used + Math.min(units, capacity) - capacity;
  // Draining in floating point may leave a trace of a unit.
  return over <= 1e-9 ? 0 : over / perSecond;
};

/** Requests, events and bytes a second that a caller is held to, and a client address. They hold per process. */

/** A call is one as it is: its request works the client's address out only where addresses have limits. */
export interface Caller {
  readonly principal: Principal;
  readonly request: { readonly ip?: string | undefined };
}

export interface Demand {
  readonly requests: number;
  readonly events: number;
  readonly bytes: number;
}

/** What is left of the limit that is nearest to its end. */
interface Quota {
  readonly limit: number;
  readonly remaining: number;
  /** Seconds until all of it is there again. */
  readonly reset: number;
}

export interface Rates {
  /**
   * Takes all of the demand, or nothing and says why: RATE_LIMITED, with the time after which it would be taken, or
   * EVENTS_TOO_MANY for events that would put the caller further behind its rate than the greatest debt. A single event
   * is taken even so, and counts for no more than that.
   */
  take(caller: Caller, demand: Demand): GatewayError | undefined;
  /** What `take` would answer. */
  refusal(caller: Caller, demand: Demand): GatewayError | undefined;
  /** Counts what was spent on a call that is refused anyway. */
  spend(caller: Caller, demand: Demand): void;
  /** undefined: the caller has no limits. */
  quota(caller: Caller): Quota | undefined;
}

interface RatesOptions {
  /** Limits of each client address. */
  readonly perAddress: Limits;
  /** How far one call may put a caller behind its rate, in milliseconds of the rate; no wait is longer. */
  readonly maxDebtMs: number;
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

/** A rate, and how much of it a caller can owe. */
interface HeldRate extends Rate {
  readonly most: number;
}

type UnitRates = readonly (readonly [Unit, HeldRate])[];

/** What one caller or address is held to, beside what it has used. */
interface Held {
  readonly rates: UnitRates;
  readonly buckets: Buckets;
}

export const createRates = (options: RatesOptions): Rates => {
  const { perAddress, maxDebtMs, maxAddresses = 50_000, now } = options;
  const maxDebt = maxDebtMs / 1000;
  const ratesOf = rememberedRates(maxDebt);
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
  const heldTo = ({ principal, request }: Caller): readonly Held[] => {
    const own = ratesOf(principal.limits);
    const shared = ratesOf(perAddress);
    if (own.length === 0 && shared.length === 0) return NONE;
    const held: Held[] = [];
    if (own.length > 0) {
      held.push({ rates: own, buckets: bucketsOf(principals, `${principal.kind} ${principal.name}`) });
    }
    if (shared.length > 0) held.push({ rates: shared, buckets: bucketsOf(addresses, request.ip ?? "") });
    return held;
  };

  const refusalOf = (held: readonly Held[], demand: Demand): GatewayError | undefined => {
    if (held === NONE) return undefined;
    const most = mostEvents(held, demand);
    if (most < demand.events) return tooMany(most);
    const seconds = secondsUntilAll(held, demand, now());
    return seconds > 0
      ? new GatewayError("RATE_LIMITED", { retryAfter: Math.min(seconds, maxDebt) })
      : undefined;
  };

  return {
    take: (caller, demand) => {
      const held = heldTo(caller);
      const refused = refusalOf(held, demand);
      if (refused === undefined) use(held, demand);
      return refused;
    },
    refusal: (caller, demand) => refusalOf(heldTo(caller), demand),
    spend: (caller, demand) => {
      const held = heldTo(caller);
      for (const { rates, buckets } of held)
        for (const [unit, rate] of rates) drain(buckets[unit], rate, now());
      use(held, demand);
    },
    quota: (caller) => {
      const held = heldTo(caller);
      return held === NONE ? undefined : tightest(held, now());
    },
  };
};

const NONE: readonly Held[] = [];

/** Limits are few objects that live long: what they come to is worked out once for each. */
const rememberedRates = (maxDebt: number): ((limits: Limits) => UnitRates) => {
  const remembered = new WeakMap<Limits, UnitRates>();
  return (limits) => {
    const known = remembered.get(limits);
    if (known !== undefined) return known;
    const made = unitRates(limits, maxDebt);
    remembered.set(limits, made);
    return made;
  };
};

const unitRates = (limits: Limits, maxDebt: number): UnitRates => {
  const seconds = (limits.burst ?? DEFAULT_BURST) / 1000;
  const named = [
    ["requests", limits.requestsPerSecond],
    ["events", limits.eventsPerSecond],
    ["bytes", limits.bytesPerSecond],
  ] as const;
  return named.flatMap(([unit, perSecond]) => {
    if (perSecond === undefined) return [];
    const capacity = perSecond * seconds;
    return [[unit, { perSecond, capacity, most: Math.max(capacity, perSecond * maxDebt) }] as const];
  });
};

/** Of a call's events so many can ever be taken together. */
const mostEvents = (held: readonly Held[], { events, bytes }: Demand): number => {
  let most = Infinity;
  for (const { rates } of held) {
    for (const [unit, rate] of rates) {
      if (unit === "events") most = Math.min(most, Math.max(1, Math.floor(rate.most)));
      if (unit === "bytes" && bytes > rate.most)
        most = Math.min(most, Math.max(1, Math.floor((events * rate.most) / bytes)));
    }
  }
  return most;
};

const tooMany = (most: number): GatewayError =>
  new GatewayError("EVENTS_TOO_MANY", {
    message: `The call has more events than its rate allows at once; send at most ${most} in one call`,
  });

const use = (held: readonly Held[], demand: Demand): void => {
  for (const { rates, buckets } of held) {
    for (const [unit, { most }] of rates) {
      const bucket = buckets[unit];
      bucket.used = Math.min(bucket.used + demand[unit], Math.max(bucket.used, most));
    }
  }
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
