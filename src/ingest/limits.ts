/** Rate limits of callers and of client addresses: requests, events and bytes per second, in each process. */
import type { Limits, Principal } from "../auth/principal.ts";
import { GatewayError } from "../errors.ts";
import {
  type Bucket,
  type Buckets,
  createBuckets,
  drain,
  type Rate,
  type RateSettings,
  type Unit,
} from "./buckets.ts";

/**
 * Seconds until the units fit into the bucket; 0: they fit now. `drain` must have brought the bucket up to date. A demand above the capacity fits into an empty
 * bucket and overfills it, so that a large call is not refused for ever; later calls wait until it has drained.
 */
const secondsUntil = ({ used }: Bucket, { perSecond, capacity }: Rate, units: number): number => {
  const over = used + Math.min(units, capacity) - capacity;
  // Because of rounding, a drained bucket may hold a tiny rest.
  return over <= 1e-9 ? 0 : over / perSecond;
};

/** A `Call` can be passed as it is: `request.ip` is computed only if addresses have limits. */
export interface Caller {
  /** undefined: the credential was refused, so only the address has a rate. */
  readonly principal: Principal | undefined;
  readonly request: { readonly ip?: string | undefined };
}

export type Demand = Readonly<Record<Unit, number>>;

/** The state of the limit with the smallest remaining share. */
interface Quota {
  readonly limit: number;
  readonly remaining: number;
  /** Seconds until the whole limit is available again. */
  readonly reset: number;
}

export interface Rates {
  /**
   * Takes the whole demand if it fits. Otherwise takes nothing and returns the error: RATE_LIMITED with the time until the
   * demand fits, or EVENTS_TOO_MANY if the events would exceed the maximum debt. A single event never fails with
   * EVENTS_TOO_MANY, and adds at most the maximum debt.
   */
  take(caller: Caller, demand: Demand): GatewayError | undefined;
  /** Returns what `take` would return, and takes nothing. */
  refusal(caller: Caller, demand: Demand): GatewayError | undefined;
  /** Counts the demand of a call that is refused for another reason. */
  spend(caller: Caller, demand: Demand): void;
  /** undefined: the caller has no limits. */
  quota(caller: Caller): Quota | undefined;
  /** Takes other limits into use. A rate that has changed begins anew; the others keep what was used. */
  use(limits: RateSettings): void;
}

interface RatesOptions extends Omit<RateSettings, "limitsOf"> {
  /** Only for `use`, which compares with it. */
  readonly limitsOf?: RateSettings["limitsOf"];
  /** See `BucketsOptions`. */
  readonly maxAddresses?: number;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
}

const DEFAULT_BURST = 1000;

/** A rate, and the maximum of `used`. */
interface BoundedRate extends Rate {
  readonly most: number;
}

type UnitRates = readonly (readonly [Unit, BoundedRate])[];

/** The rates of one caller or address, and their buckets. */
interface Limiter {
  readonly rates: UnitRates;
  readonly buckets: Buckets;
}

export const createRates = (options: RatesOptions): Rates => {
  const { maxAddresses = 50_000, now } = options;
  let settings: RateSettings = { limitsOf: () => [], ...options };
  let maxDebt = settings.maxDebtMs / 1000;
  let ratesOf = rememberedRates(maxDebt);
  const store = createBuckets({ maxAddresses, now });

  /** Most callers have no limits. For them this allocates no memory and needs no lookup. */
  const limitersOf = ({ principal, request }: Caller): readonly Limiter[] => {
    const own = principal === undefined ? [] : ratesOf(principal.limits);
    const shared = ratesOf(settings.perAddress);
    if (own.length === 0 && shared.length === 0) return NONE;
    const limiters: Limiter[] = [];
    if (principal !== undefined && own.length > 0) {
      limiters.push({ rates: own, buckets: store.ofPrincipal(principal) });
    }
    if (shared.length > 0) limiters.push({ rates: shared, buckets: store.ofAddress(request.ip ?? "") });
    return limiters;
  };

  const refusalOf = (limiters: readonly Limiter[], demand: Demand): GatewayError | undefined => {
    if (limiters === NONE) return undefined;
    const most = mostEvents(limiters, demand);
    if (most < demand.events) return tooMany(most);
    const seconds = secondsUntilAll(limiters, demand, now());
    return seconds > 0
      ? new GatewayError("RATE_LIMITED", { retryAfter: Math.min(seconds, maxDebt) })
      : undefined;
  };

  return {
    take: (caller, demand) => {
      const limiters = limitersOf(caller);
      const refused = refusalOf(limiters, demand);
      if (refused === undefined) use(limiters, demand);
      return refused;
    },
    refusal: (caller, demand) => refusalOf(limitersOf(caller), demand),
    spend: (caller, demand) => {
      const limiters = limitersOf(caller);
      for (const { rates, buckets } of limiters)
        for (const [unit, rate] of rates) drain(buckets[unit], rate, now());
      use(limiters, demand);
    },
    quota: (caller) => {
      const limiters = limitersOf(caller);
      return limiters === NONE ? undefined : mostUsed(limiters, now());
    },
    use: (next) => {
      store.renew(settings, next);
      settings = next;
      maxDebt = next.maxDebtMs / 1000;
      ratesOf = rememberedRates(maxDebt);
    },
  };
};

const NONE: readonly Limiter[] = [];

/** There are few `Limits` objects and they live long, so their rates are computed once for each. */
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

/** Maximum number of events of this call that can ever be taken together. */
const mostEvents = (limiters: readonly Limiter[], { events, bytes }: Demand): number => {
  let most = Infinity;
  for (const { rates } of limiters) {
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

const use = (limiters: readonly Limiter[], demand: Demand): void => {
  for (const { rates, buckets } of limiters) {
    for (const [unit, { most }] of rates) {
      const bucket = buckets[unit];
      bucket.used = Math.min(bucket.used + demand[unit], Math.max(bucket.used, most));
    }
  }
};

const secondsUntilAll = (limiters: readonly Limiter[], demand: Demand, now: number): number => {
  let seconds = 0;
  for (const { rates, buckets } of limiters) {
    for (const [unit, rate] of rates) {
      if (demand[unit] === 0) continue;
      drain(buckets[unit], rate, now);
      seconds = Math.max(seconds, secondsUntil(buckets[unit], rate, demand[unit]));
    }
  }
  return seconds;
};

const mostUsed = (limiters: readonly Limiter[], now: number): Quota => {
  const all = limiters.flatMap(({ rates, buckets }) =>
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
