/**
 * Repeats of a call that carries an `Idempotency-Key` (the IETF draft of that name) get the first call's outcomes
 * instead of a second write. In one process, and for as long as it remembers.
 */
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { EventOutcome } from "./produce.ts";

/** All that makes two calls the same one; another body under the same key is another call. */
export interface IdempotentCall {
  readonly key: string;
  readonly principal: string;
  readonly station: string;
  readonly body: Buffer;
}

export interface Idempotency {
  /**
   * The outcomes of `produce`, or those that the same call had before; who comes while it is under way waits for it.
   * Only definite outcomes are remembered: a call of which an event may have to be sent again is carried out again.
   */
  once(
    call: IdempotentCall,
    produce: () => Promise<readonly EventOutcome[]>,
  ): Promise<readonly EventOutcome[]>;
}

export interface IdempotencyOptions {
  /** Milliseconds. */
  readonly windowMs: number;
  /** Outcomes that are remembered, of all calls together; beyond, the call not repeated for longest is forgotten. */
  readonly maxOutcomes: number;
}

export const createIdempotency = ({ windowMs, maxOutcomes }: IdempotencyOptions): Idempotency => {
  const underWay = new Map<string, Promise<readonly EventOutcome[]>>();
  const done = new LRUCache<string, readonly EventOutcome[]>({
    maxSize: maxOutcomes,
    sizeCalculation: (outcomes) => outcomes.length + 1,
    ttl: windowMs,
  });
  return {
    once: (call, produce) => {
      const name = nameOf(call);
      const known = done.get(name);
      if (known !== undefined) return Promise.resolve(known);
      const running = underWay.get(name);
      if (running !== undefined) return running;
      const first = produce()
        .then((outcomes) => {
          if (outcomes.every(isDefinite)) done.set(name, outcomes);
          return outcomes;
        })
        .finally(() => underWay.delete(name));
      underWay.set(name, first);
      return first;
    },
  };
};

const isDefinite = (outcome: EventOutcome): boolean =>
  outcome.status === "stored" || outcome.error.outcome === "refused";

/** A digest: keys come from clients, and may be as long as a header. */
const nameOf = ({ key, principal, station, body }: IdempotentCall): string =>
  createHash("sha256")
    .update(JSON.stringify([key, principal, station]))
    .update(body)
    .digest("base64");
