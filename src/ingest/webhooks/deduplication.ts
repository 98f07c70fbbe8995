import { createHash } from "node:crypto";
import { GatewayError } from "../../errors.ts";
import type { Remembered } from "../remembered.ts";

export interface Delivery {
  readonly source: string;
  readonly id: string;
  readonly body: Buffer;
}

export interface Deduplicator {
  /**
   * Settles as `store` does, which isn't called when this delivery was stored within the last `windowMs` milliseconds,
   * or is being stored: then the first one's outcome is this one's too. What failed isn't remembered. Rejects with
   * OVERLOADED, and then nothing is stored, while there is no memory for its name.
   */
  once(delivery: Delivery, windowMs: number, store: () => Promise<void>): Promise<void>;
}

export interface DeduplicatorOptions {
  readonly remembered: Remembered<object>;
}

/** Of a name and its entry. */
const ENTRY_BYTES = 300;
const STORED = {};

/** The id is rarely signed, the body nearly always: with another body it is another delivery. */
const nameOf = ({ source, id, body }: Delivery): string =>
  createHash("sha256")
    .update(JSON.stringify([source, id]))
    .update(body)
    .digest("base64");

/** Knows what this process has stored, and no other: two pods may both take a delivery, and its id tells readers. */
export const createDeduplicator = ({ remembered }: DeduplicatorOptions): Deduplicator => {
  const underWay = new Map<string, Promise<void>>();

  return {
    once(delivery, windowMs, store) {
      const name = nameOf(delivery);
      if (remembered.get(name) !== undefined) return Promise.resolve();
      const first = underWay.get(name);
      if (first !== undefined) return first;
      if (remembered.reserve(ENTRY_BYTES) !== "reserved")
        return Promise.reject(new GatewayError("OVERLOADED"));
      const storing = store()
        .then(
          () => {
            remembered.keep(name, STORED, { bytes: ENTRY_BYTES, ttlMs: windowMs });
          },
          (error: unknown) => {
            remembered.release(ENTRY_BYTES);
            throw error;
          },
        )
        .finally(() => underWay.delete(name));
      underWay.set(name, storing);
      return storing;
    },
  };
};
