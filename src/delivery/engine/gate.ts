/** Decides what happens to a record or a batch whose turn it is: send, wait, skip, drop or release it. */
import type { Clock } from "../../lib/clock.ts";
import { cut } from "../../lib/text.ts";
import { type Batch, isBatch, positionOf, type Unit } from "./batches/batch.ts";
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

/** What happens only to a record, and never to a batch. */
export type RecordPassage =
  | { readonly action: "join"; readonly record: PreparedRecord }
  | { readonly action: "stop"; readonly trace: string }
  /** `reason`: why the record is skipped, for the log. */
  | { readonly action: "leaveOut"; readonly reason: string }
  /** The record can't be prepared yet. */
  | { readonly action: "prepare"; readonly readiness: Promise<void> };

/** What happens to a record or a batch. `throttle` delays all units of the runner. */
type Passage =
  | RecordPassage
  /** Without `record` the unit is sent as it is. */
  | { readonly action: "send"; readonly record?: PreparedRecord }
  | { readonly action: "skip" }
  | { readonly action: "drop" }
  | { readonly action: "release" }
  | { readonly action: "wait"; readonly ms: number }
  | { readonly action: "throttle"; readonly ms: number };

/** After a freeze, the next heartbeat shows whether the partitions are still assigned. Milliseconds until the next check. */
const UNCONFIRMED_MS = 250;

const SEND: Passage = { action: "send" };

const traceOf = (item: Item, reason: string): string => `Delivery stopped at ${positionOf(item)}: ${reason}`;

const admit = ({ endpoint }: DeliveryPlan, item: Item): Passage => {
  const admission = endpoint.admit(item.record);
  if (admission === "deliver") return SEND;
  if (admission === "skip") return { action: "skip" };
  item.lastError = cut(admission.deadLetter);
  return { action: "drop" };
};

const prepare = ({ preparation }: DeliveryPlan, item: Item): Passage => {
  if (preparation === undefined) return SEND;
  const { record } = item;
  const readiness = preparation.ready(record);
  if (readiness !== undefined) return { action: "prepare", readiness };
  const prepared = preparation.prepare(record);
  if (prepared.action === "skip") {
    return prepared.reason === undefined
      ? { action: "skip" }
      : { action: "leaveOut", reason: prepared.reason };
  }
  if (prepared.action === "send") return prepared;
  item.lastError = cut(prepared.reason);
  if (prepared.stage !== undefined) item.stage = prepared.stage;
  return prepared.action === "stop"
    ? { action: "stop", trace: traceOf(item, prepared.reason) }
    : { action: "drop" };
};

/** Records that an earlier claim has finished leave the batch. */
const leaveOutFinished = (batch: Batch): void => {
  const { claim, members } = batch;
  const { earlier } = claim;
  if (earlier === undefined) return;
  const done = members.filter(({ item }) => earlier.hasFinished(item.record.offset));
  batch.members = members.filter((member) => !done.includes(member));
  for (const { item } of done) claim.finished(item.record);
};

/**
 * Checks a record before an attempt, in this order: the claim, the group membership, the delay, the endpoint's `admit`, the
 * preparation, the rate limit. With batches, a record is checked before it joins a batch, and the batch before each attempt.
 */
export const createGate = (
  plan: DeliveryPlan,
  clock: Clock,
  interruptions: Interruptions,
): ((unit: Unit) => Passage) => {
  const bucket = plan.ratePerSecond === undefined ? undefined : createTokenBucket(plan.ratePerSecond, clock);

  const throttle = (passage: Passage): Passage => {
    const ms = bucket?.take() ?? 0;
    return ms === 0 ? passage : { action: "throttle", ms };
  };

  const isFinished = ({ claim, record }: Item): boolean => claim.earlier?.hasFinished(record.offset) === true;

  const earlyMs = ({ notBefore }: Unit): number => (notBefore === 0 ? 0 : notBefore - clock.now());

  const joining = (item: Item): Passage => {
    if (item.claim.revoked) return { action: "release" };
    if (isFinished(item)) return { action: "skip" };
    interruptions.resume(item);
    const admission = item.attempts === 0 ? admit(plan, item) : SEND;
    if (admission.action !== "send") return admission;
    const passage = prepare(plan, item);
    return passage.action === "send" ? { action: "join", record: passage.record ?? item.record } : passage;
  };

  const batch = (unit: Batch): Passage => {
    if (unit.claim.revoked) return { action: "release" };
    if (!unit.claim.isConfirmed()) return { action: "throttle", ms: UNCONFIRMED_MS };
    leaveOutFinished(unit);
    if (unit.members.length === 0) return { action: "skip" };
    const early = earlyMs(unit);
    return early > 0 ? { action: "wait", ms: early } : throttle(SEND);
  };

  const alone = (item: Item): Passage => {
    if (item.claim.revoked) return { action: "release" };
    if (!item.claim.isConfirmed()) return { action: "throttle", ms: UNCONFIRMED_MS };
    if (isFinished(item)) return { action: "skip" };
    if (item.attempts === 0) interruptions.resume(item);
    const early = earlyMs(item);
    if (early > 0) return { action: "wait", ms: early };
    const admission = item.attempts === 0 ? admit(plan, item) : SEND;
    if (admission.action !== "send") return admission;
    const passage = prepare(plan, item);
    return passage.action === "send" ? throttle(passage) : passage;
  };

  const single = plan.batching === undefined ? alone : joining;
  return (unit) => (isBatch(unit) ? batch(unit) : single(unit));
};
