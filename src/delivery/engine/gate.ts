/** Decides what happens to a record whose turn it is: send, wait, skip, drop or release it. */
import type { Clock } from "../../lib/clock.ts";
import { cut } from "../../lib/text.ts";
import type { Item } from "./claims.ts";
import type { DeliveryPlan, PreparedRecord } from "./delivery-plan.ts";
import type { Interruptions } from "./progress.ts";

export interface TokenBucket {
  /** Takes a token and returns 0, or returns the milliseconds until the next token is available. */
  take(): number;
}

/** Allows `perSecond` tokens per second. The burst is one second's worth, and at least one token. */
export const createTokenBucket = (perSecond: number, clock: Clock): TokenBucket => {
  const capacity = Math.max(1, perSecond);
  let tokens = capacity;
  let filledAt = clock.now();
  return {
    take() {
      const now = clock.now();
      tokens = Math.min(capacity, tokens + (Math.max(0, now - filledAt) * perSecond) / 1000);
      filledAt = now;
      if (tokens < 1) return Math.ceil(((1 - tokens) * 1000) / perSecond);
      tokens -= 1;
      return 0;
    },
  };
};

/** What happens to a record. `throttle` delays all records of the runner. */
type Passage =
  /** Without `record` the record is sent as it is stored. */
  | { readonly action: "send"; readonly record?: PreparedRecord }
  | { readonly action: "skip" | "drop" | "release" }
  | { readonly action: "stop"; readonly trace: string }
  /** The record can't be prepared yet. */
  | { readonly action: "prepare"; readonly readiness: Promise<void> }
  | { readonly action: "wait" | "throttle"; readonly ms: number };

/** After a freeze, the next heartbeat shows whether the partitions are still assigned. Milliseconds until the next check. */
const UNCONFIRMED_MS = 250;

const SEND: Passage = { action: "send" };

const traceOf = ({ record: { topic, partition, offset } }: Item, reason: string): string =>
  `Delivery stopped at ${topic}-${partition}@${offset}: ${reason}`;

/**
 * Checks a record before an attempt, in this order: the claim, the group membership, the delay, the endpoint's
 * `admit`, the preparation, the rate limit.
 */
export const createGate = (
  plan: DeliveryPlan,
  clock: Clock,
  interruptions: Interruptions,
): ((item: Item) => Passage) => {
  const bucket = plan.ratePerSecond === undefined ? undefined : createTokenBucket(plan.ratePerSecond, clock);

  const admit = (item: Item): Passage => {
    const admission = plan.endpoint.admit(item.record);
    if (admission === "deliver") return SEND;
    if (admission === "skip") return { action: "skip" };
    item.lastError = cut(admission.deadLetter);
    return { action: "drop" };
  };

  const prepare = (item: Item): Passage => {
    const { preparation } = plan;
    if (preparation === undefined) return SEND;
    const { record } = item;
    const readiness = preparation.ready(record);
    if (readiness !== undefined) return { action: "prepare", readiness };
    const prepared = preparation.prepare(record);
    if (prepared.action === "stop") return { action: "stop", trace: traceOf(item, prepared.reason) };
    if (prepared.action === "drop") item.lastError = cut(prepared.reason);
    return prepared;
  };

  const throttle = (passage: Passage): Passage => {
    const ms = bucket?.take() ?? 0;
    return ms === 0 ? passage : { action: "throttle", ms };
  };

  return (item) => {
    const { claim, record } = item;
    if (claim.revoked) return { action: "release" };
    if (!claim.isConfirmed()) return { action: "throttle", ms: UNCONFIRMED_MS };
    if (claim.earlier?.hasFinished(record.offset) === true) return { action: "skip" };
    if (item.attempts === 0) interruptions.resume(item);
    const early = item.notBefore === 0 ? 0 : item.notBefore - clock.now();
    if (early > 0) return { action: "wait", ms: early };
    const admission = item.attempts === 0 ? admit(item) : SEND;
    if (admission.action !== "send") return admission;
    const passage = prepare(item);
    return passage.action === "send" ? throttle(passage) : passage;
  };
};
