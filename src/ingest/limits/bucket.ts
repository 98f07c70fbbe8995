/** A rate, kept by counting what has been used and letting it drain. */

export interface Rate {
  /** Units a second. */
  readonly perSecond: number;
  /** Units that may be used at once. */
  readonly capacity: number;
}

/**
 * A token bucket, told the other way round: `used` drains at the rate and may reach the capacity. It knows no rate of
 * its own, so that a change of settings or a second key of the same name needs no new bucket.
 */
export interface Bucket {
  used: number;
  /** When it was last drained, in milliseconds. */
  at: number;
}

export const emptyBucket = (now: number): Bucket => ({ used: 0, at: now });

export const drain = (bucket: Bucket, { perSecond }: Rate, now: number): void => {
  bucket.used = Math.max(0, bucket.used - (Math.max(0, now - bucket.at) * perSecond) / 1000);
  bucket.at = now;
};

/**
 * Seconds until so many units fit into a drained bucket; 0: they do. What is larger than the whole bucket fits when
 * that is empty, and overfills it: a call of 1,000 events isn't refused for ever, and what comes next waits for it.
 */
export const secondsUntil = ({ used }: Bucket, { perSecond, capacity }: Rate, units: number): number => {
  const over = used + Math.min(units, capacity) - capacity;
  // Draining in floating point may leave a trace of a unit.
  return over <= 1e-9 ? 0 : over / perSecond;
};
