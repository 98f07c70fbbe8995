/** The leaky buckets of principals and client addresses, and which of them begin anew when the settings change. */
import { LRUCache } from "lru-cache";
import { type Limits, type Principal, principalId } from "../auth/principal.ts";

export interface Rate {
  /** Units per second. */
  readonly perSecond: number;
  /** Units that can be used at once. */
  readonly capacity: number;
}

/**
 * A leaky bucket: `used` drains at the rate, and may reach the capacity. The rate is not part of the bucket, so that a
 * second key of the same name uses the same bucket.
 */
export interface Bucket {
  used: number;
  /** Time of the last drain, in milliseconds. */
  at: number;
}

const emptyBucket = (now: number): Bucket => ({ used: 0, at: now });

export const drain = (bucket: Bucket, { perSecond }: Rate, now: number): void => {
  bucket.used = Math.max(0, bucket.used - (Math.max(0, now - bucket.at) * perSecond) / 1000);
  bucket.at = now;
};

export type Unit = "requests" | "events" | "bytes";
export type Buckets = Record<Unit, Bucket>;

/** Limits of principals and addresses. */
export interface RateSettings {
  /** Limits of each client address. */
  readonly perAddress: Limits;
  /** Maximum debt of a caller, in milliseconds of its rate. No wait is longer. */
  readonly maxDebtMs: number;
  /** The limits of the entries of a principal in the settings, by its `principalId`. Empty: it has no entry. */
  readonly limitsOf: (principal: string) => readonly Limits[];
}

interface BucketStore {
  get(name: string): Buckets | undefined;
  set(name: string, buckets: Buckets): unknown;
}

interface BucketsOptions {
  /**
   * Maximum number of remembered addresses, and of remembered clients of other issuers, whose number the settings don't bound. Above
   * it, the least recently used one is forgotten.
   */
  readonly maxAddresses: number;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
}

export const createBuckets = ({ maxAddresses, now }: BucketsOptions) => {
  /** Of principals with limits. */
  const principals = new Map<string, Buckets>();
  const issued = new LRUCache<string, Buckets>({ max: maxAddresses });
  const addresses = new LRUCache<string, Buckets>({ max: maxAddresses });

  const bucketsIn = (store: BucketStore, name: string): Buckets => {
    const known = store.get(name);
    if (known !== undefined) return known;
    const made = { requests: emptyBucket(now()), events: emptyBucket(now()), bytes: emptyBucket(now()) };
    store.set(name, made);
    return made;
  };
  const empty = (buckets: Buckets, units: readonly Unit[]): void => {
    for (const unit of units) buckets[unit] = emptyBucket(now());
  };

  return {
    ofPrincipal: (principal: Pick<Principal, "kind" | "name">) =>
      bucketsIn(principal.kind === "issuer" ? issued : principals, principalId(principal)),
    ofAddress: (address: string) => bucketsIn(addresses, address),
    /** Empties the buckets whose rate or burst differs, and forgets principals that are not in the settings any more. */
    renew: (before: RateSettings, after: RateSettings): void => {
      for (const store of [principals, issued])
        for (const [name, buckets] of [...store]) {
          const limits = after.limitsOf(name);
          if (limits.length === 0) store.delete(name);
          else empty(buckets, changedUnits(before.limitsOf(name), limits));
        }
      const shared = changedUnits([before.perAddress], [after.perAddress]);
      if (shared.length > 0) for (const buckets of addresses.values()) empty(buckets, shared);
    },
  };
};

const UNITS = { requests: "requestsPerSecond", events: "eventsPerSecond", bytes: "bytesPerSecond" } as const;

/** The units whose rate or burst differs in one of the entries. */
const changedUnits = (before: readonly Limits[], after: readonly Limits[]): readonly Unit[] => {
  const ratesIn = (entries: readonly Limits[], unit: Unit): string =>
    JSON.stringify(entries.map((limits) => [limits[UNITS[unit]], limits[UNITS[unit]] && limits.burst]));
  return (["requests", "events", "bytes"] as const).filter(
    (unit) => ratesIn(before, unit) !== ratesIn(after, unit),
  );
};
