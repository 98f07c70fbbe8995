import type { Clock } from "../../lib/clock.ts";
import { cut } from "../../lib/text.ts";
import type { Item } from "./claims.ts";
import type { DeliveryPlan } from "./delivery-plan.ts";
import type { Interruptions } from "./progress.ts";

export interface TokenBucket {
  /** 0: a token was taken; else the milliseconds until there is one. */
  take(): number;
}

/** `perSecond` tokens a second and at most one second's worth at once, though never less than one. */
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

/** What is to be done with an item whose turn it is; `throttle` holds up all the others too. */
type Passage =
  | { readonly action: "send" | "skip" | "drop" | "release" }
  | { readonly action: "wait" | "throttle"; readonly ms: number };

/** A process that was frozen hears soon, once it goes on, whether its partitions are still its own. */
const UNCONFIRMED_MS = 250;

const SEND: Passage = { action: "send" };

/** Judges items before an attempt: the claim, its group, the delay, the endpoint's own opinion, the rate limit, in this order. */
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

  const throttle = (): Passage => {
    const ms = bucket?.take() ?? 0;
    return ms === 0 ? SEND : { action: "throttle", ms };
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
    return admission.action === "send" ? throttle() : admission;
  };
};
