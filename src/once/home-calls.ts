/** The calls of the receiving process: the events of one slot, or of several slots that one process most likely holds. */
import { setMaxListeners } from "node:events";
import type { AppendOutcome, BrokerRecord, StoredRecord } from "../broker/broker.ts";
import { asGatewayError, GatewayError } from "../errors.ts";
import type { Home } from "../home/home.ts";
import type { PeerCall } from "../home/peers/peers.ts";
import type { Clock } from "../lib/clock.ts";
import { decodeAnswer, encodeCall, type OnceCall, type SlotAnswer } from "./call-codec.ts";
import { fitIntoPart, partsOf } from "./call-parts.ts";
import { MARK } from "./marked-records.ts";
import type { CoreId, CoreOutcome } from "./slot-core/port.ts";

/** The id of one event, computed by the receiving process. */
export interface EventId extends CoreId {
  readonly slot: number;
}

export interface OnceEvent {
  readonly record: BrokerRecord;
  readonly id: EventId;
}

/**
 * `unresolved`: the first event with the id has no outcome yet. `leaderless`: the same, because its partition has no leader.
 * `reused`: the id belongs to another payload. The shape of the answer decides how a client gets these outcomes.
 */
export type OnceOutcome =
  | AppendOutcome
  | (StoredRecord & { readonly duplicate: true })
  | (StoredRecord & { readonly unchecked: true })
  | { readonly status: "unresolved" | "leaderless" | "reused" };

export interface HomeCallOptions {
  readonly home: Pick<Home, "id" | "callSlot" | "tryCall" | "likelyHome">;
  readonly clock: Pick<Clock, "monotonic">;
  /** Stores records without the check. Never rejects. */
  readonly appendUnchecked: (
    topic: string,
    records: readonly BrokerRecord[],
  ) => Promise<readonly AppendOutcome[]>;
}

export interface CallOptions {
  /** False: an event whose home can't be reached is stored without the check. */
  readonly strict: boolean;
  /** Milliseconds. */
  readonly deadlineMs: number;
}

/** The events of one slot. */
export interface SlotOfCall {
  readonly slot: number;
  readonly events: readonly OnceEvent[];
}

/** A request, as every home of its events gets it. */
export interface OnceRequest {
  readonly topic: string;
  /** The request's random number, 32 bits. */
  readonly request: number;
}

const UNCHECKED = { name: MARK, value: Buffer.from("unchecked") };
/** A call goes on when its client has gone: its events may be stored. */
const NEVER = new AbortController().signal;
setMaxListeners(0, NEVER);
/** The service of the slots has one kind of call. */
const PATH = "/append";

export const notAppended = (): OnceOutcome => ({
  status: "failed",
  error: new GatewayError("BROKER_UNAVAILABLE"),
});

export const isWithoutOutcome = (outcome: OnceOutcome | undefined): boolean =>
  outcome === undefined ||
  outcome.status === "unresolved" ||
  outcome.status === "leaderless" ||
  (outcome.status === "failed" && outcome.error.outcome !== "refused");

interface HomeCall extends OnceRequest, SlotOfCall {
  /** An earlier home may have stored events of the call. */
  readonly isRepeated: boolean;
}

/**
 * Sends the events of several slots to the process that most likely holds them, in one call: a batch has events of every slot,
 * and a call for each took a fifth of the CPU. What that process does not answer goes to the slots' homes in calls of their own.
 * One list of outcomes for each slot.
 */
export const sendTogether = async (
  options: HomeCallOptions,
  { topic, request, slots }: OnceRequest & { readonly slots: readonly SlotOfCall[] },
  how: CallOptions,
): Promise<readonly (readonly OnceOutcome[])[]> => {
  const { home, clock } = options;
  const [first] = slots;
  const until = clock.monotonic() + how.deadlineMs;
  const sendAlone = (one: SlotOfCall, deadlineMs: number, isRepeated: boolean) =>
    sendParts(options, { ...one, topic, request, isRepeated }, { ...how, deadlineMs });
  const isOwn = first !== undefined && home.likelyHome(first.slot) === home.id;
  if (first === undefined || slots.length === 1 || !(isOwn || fitIntoPart(slots)))
    return Promise.all(slots.map((one) => sendAlone(one, how.deadlineMs, false)));
  try {
    const answers = await tryTogether(options, first.slot, { topic, request, slots }, how.deadlineMs);
    return await Promise.all(
      slots.map(async (one, place) => {
        const outcomes = answers?.[place] ?? "moved";
        if (outcomes === "moved") return sendAlone(one, Math.max(0, until - clock.monotonic()), true);
        return outcomes.map((outcome) => outcomeOf(outcome, false));
      }),
    );
  } catch (cause) {
    const error = asGatewayError(cause);
    return Promise.all(slots.map(({ events }) => withoutHome(options, { topic, events, error }, how)));
  }
};

/** One attempt. undefined: no answer; a process may have seen the call. */
const tryTogether = async (
  { home }: HomeCallOptions,
  slot: number,
  call: OnceCall,
  waitMs: number,
): Promise<readonly SlotAnswer[] | undefined> => {
  try {
    const answer = await home.tryCall(slot, peerCallOf(call, waitMs));
    if (answer === undefined) return undefined;
    const answers = (answer.message as readonly SlotAnswer[] | undefined) ?? decodeAnswer(answer.body);
    answer.ended(true);
    return answers;
  } catch (error) {
    // A process of an earlier version takes only calls for one slot, and has done nothing.
    if (error instanceof GatewayError && error.code === "REQUEST_UNSUPPORTED") return undefined;
    throw error;
  }
};

const peerCallOf = (message: OnceCall, waitMs: number): PeerCall => new CallOfEvents(message, waitMs);

/** A class, because an object literal with a getter keeps the events in memory until the next major collection (docs/performance.md). */
class CallOfEvents implements PeerCall {
  readonly path = PATH;
  readonly signal = NEVER;
  readonly message: OnceCall;
  readonly waitMs: number;

  constructor(message: OnceCall, waitMs: number) {
    this.message = message;
    this.waitMs = waitMs;
  }

  get body(): Buffer {
    return encodeCall(this.message);
  }
}

/** Sends the parts one after the other, which keeps the order of the events of a key. */
export const sendParts = async (
  options: HomeCallOptions,
  { events, ...call }: HomeCall,
  how: CallOptions,
): Promise<readonly OnceOutcome[]> => {
  const parts = partsOf(events);
  if (parts.length === 1) return send(options, { ...call, events }, how);
  const until = options.clock.monotonic() + how.deadlineMs;
  const outcomes = new Map<OnceEvent, OnceOutcome>();
  const failed = new Set<string>();
  let rest: OnceOutcome = notAppended();
  for (const part of parts) {
    const deadlineMs = until - options.clock.monotonic();
    if (deadlineMs <= 0 || rest.status === "reused") break;
    const wanted = part.filter(({ record: { key } }) => key === null || !failed.has(key.toString("latin1")));
    if (wanted.length === 0) continue;
    const results = await send(options, { ...call, events: wanted }, { ...how, deadlineMs });
    wanted.forEach((event, index) => {
      const outcome = results[index] ?? notAppended();
      outcomes.set(event, outcome);
      const { key } = event.record;
      if (key !== null && isWithoutOutcome(outcome)) failed.add(key.toString("latin1"));
      // The call has the key of another payload, so nothing of it may be stored.
      if (outcome.status === "reused") rest = outcome;
    });
  }
  return events.map((event) => outcomes.get(event) ?? rest);
};

const send = async (
  options: HomeCallOptions,
  { topic, slot, request, events, isRepeated }: HomeCall,
  how: CallOptions,
): Promise<readonly OnceOutcome[]> => {
  try {
    const call = peerCallOf({ topic, request, slots: [{ slot, events }] }, how.deadlineMs);
    const answer = await options.home.callSlot(slot, call);
    const [outcomes] = (answer.message as readonly SlotAnswer[] | undefined) ?? decodeAnswer(answer.body);
    answer.ended(true);
    if (outcomes === undefined || outcomes === "moved") throw new GatewayError("BROKER_AMBIGUOUS");
    const mayBeStored = isRepeated || answer.isRepeated === true;
    return outcomes.map((outcome) => outcomeOf(outcome, mayBeStored));
  } catch (cause) {
    return withoutHome(options, { topic, events, error: asGatewayError(cause) }, how);
  }
};

interface WithoutHome {
  readonly topic: string;
  readonly events: readonly OnceEvent[];
  readonly error: GatewayError;
}

/** The outcomes of events whose home has answered with an error, or not at all. */
const withoutHome = async (
  { appendUnchecked }: HomeCallOptions,
  { topic, events, error }: WithoutHome,
  { strict }: CallOptions,
): Promise<readonly OnceOutcome[]> => {
  if (strict || error.code !== "HOME_UNAVAILABLE") return events.map(() => ({ status: "failed", error }));
  const records = events.map(({ record }) => ({ ...record, headers: [...record.headers, UNCHECKED] }));
  const outcomes = await appendUnchecked(topic, records);
  return outcomes.map((outcome) => (outcome.status === "stored" ? { ...outcome, unchecked: true } : outcome));
};

/** `isRepeated`: another process may have stored the event before it lost the slot. */
const outcomeOf = (outcome: CoreOutcome, isRepeated: boolean): OnceOutcome => {
  if (outcome.status === "stored") {
    const { partition, offset, timestamp, isDuplicate } = outcome;
    const stored: StoredRecord = { status: "stored", partition, offset: BigInt(offset), timestamp };
    return isDuplicate ? { ...stored, duplicate: true } : stored;
  }
  if (outcome.status === "refused") return { status: "failed", error: outcome.error };
  if (outcome.status !== "unavailable") return { status: outcome.status };
  const code = isRepeated ? "BROKER_AMBIGUOUS" : "BROKER_UNAVAILABLE";
  return { status: "failed", error: new GatewayError(code) };
};
