import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";

export interface Delivery {
  readonly source: string;
  readonly id: string;
  readonly body: Buffer;
}

export interface Deduplicator {
  /**
   * Settles as `store` does, which isn't called when this delivery was stored within the last `windowMs` milliseconds,
   * or is being stored: then the first one's outcome is this one's too. What failed isn't remembered.
   */
  once(delivery: Delivery, windowMs: number, store: () => Promise<void>): Promise<void>;
}

export interface DeduplicatorOptions {
  /** Deliveries kept in memory, at some 200 bytes each; of more, the oldest are forgotten before their time. */
  readonly maxRemembered: number;
  /** Milliseconds. */
  readonly now: () => number;
}

/** The id is rarely signed, the body nearly always: with another body it is another delivery. */
const nameOf = ({ source, id, body }: Delivery): string =>
  createHash("sha256")
    .update(JSON.stringify([source, id]))
    .update(body)
    .digest("base64");

/** Knows what this process has stored, and no other: two pods may both take a delivery, and its id tells readers. */
export const createDeduplicator = ({ maxRemembered, now }: DeduplicatorOptions): Deduplicator => {
  const stored = new LRUCache<string, true>({ max: maxRemembered, ttlResolution: 0, perf: { now } });
  const underWay = new Map<string, Promise<void>>();

  return {
    once(delivery, windowMs, store) {
      const name = nameOf(delivery);
      if (stored.has(name)) return Promise.resolve();
      const first = underWay.get(name);
      if (first !== undefined) return first;
      const storing = store()
        .then(() => {
          stored.set(name, true, { ttl: windowMs });
        })
        .finally(() => underWay.delete(name));
      underWay.set(name, storing);
      return storing;
    },
  };
};
