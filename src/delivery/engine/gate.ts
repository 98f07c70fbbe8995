import type { Clock } from "../../lib/clock.ts";
import { cut } from "../../lib/text.ts";
import type { DeliveryPlan } from "./delivery-plan.ts";
import type { Interruptions } from "./interruptions.ts";
import type { Item } from "./item.ts";
import { createTokenBucket } from "./token-bucket.ts";

/** What is to be done with an item whose turn it is; `throttle` holds up all the others too. */
export type Passage =
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
