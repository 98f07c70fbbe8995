/**
 * The entrance of the receiving process: divides the events of a call among the homes of their ids, and returns the outcomes in
 * the order of the events.
 */
import { randomInt } from "node:crypto";
import { setMaxListeners } from "node:events";
import type { AppendOutcome, BrokerRecord, StoredRecord } from "../broker/broker.ts";
import { asGatewayError, GatewayError } from "../errors.ts";
import type { Home } from "../home/home.ts";
import type { Clock } from "../lib/clock.ts";
import { decodeOutcomes, encodeCall, type OnceCall } from "./call-codec.ts";
import { partsOf } from "./call-parts.ts";
import { MARK } from "./marked-records.ts";
import { createOrders, type Orders } from "./orders.ts";
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

export interface AppendOnceOptions {
  /** Calls with the same object reach each home in the order of the calls. */
  readonly order?: object | undefined;
  /** False: an event whose home can't be reached is stored without the check. */
  readonly strict: boolean;
  /** Milliseconds. */
  readonly deadlineMs: number;
}

export interface Once {
  /** One outcome per event, in order; never rejects. A duplicate has the first event's partition and offset. */
  append(
    topic: string,
    events: readonly OnceEvent[],
    options: AppendOnceOptions,
  ): Promise<readonly OnceOutcome[]>;
}

export interface OnceOptions {
  readonly home: Pick<Home, "callSlot">;
  readonly clock: Pick<Clock, "monotonic">;
  /** Stores records without the check. Never rejects. */
  readonly appendUnchecked: (
    topic: string,
    records: readonly BrokerRecord[],
  ) => Promise<readonly AppendOutcome[]>;
}

const UNCHECKED = { name: MARK, value: Buffer.from("unchecked") };
/** A call goes on when its client has gone: its events may be stored. */
const NEVER = new AbortController().signal;
setMaxListeners(0, NEVER);
/** The service of the slots has one kind of call. */
const PATH = "/append";

export const createOnce = (options: OnceOptions): Once => {
  const orders = createOrders();
  return {
    append: async (topic, events, how) => {
      const request = randomInt(2 ** 32);
      const outcomes = new Array<OnceOutcome>(events.length);
      await Promise.all(
        Array.from(bySlot(events), async ([slot, { own, places }]) => {
          const results = await sendInOrder(orders, own, how.order, (wanted) =>
            sendParts(options, { topic, slot, request, events: wanted }, how),
          );
          places.forEach((place, index) => {
            outcomes[place] = results[index] ?? notAppended();
          });
        }),
      );
      return outcomes;
    },
  };
};

/** The events of a slot, and their places in the call. */
interface SlotEvents {
  readonly own: OnceEvent[];
  readonly places: number[];
}

const bySlot = (events: readonly OnceEvent[]): ReadonlyMap<number, SlotEvents> => {
  const slots = new Map<number, SlotEvents>();
  events.forEach((event, place) => {
    const known = slots.get(event.id.slot);
    if (known === undefined) slots.set(event.id.slot, { own: [event], places: [place] });
    else {
      known.own.push(event);
      known.places.push(place);
    }
  });
  return slots;
};

const notAppended = (): OnceOutcome => ({ status: "failed", error: new GatewayError("BROKER_UNAVAILABLE") });

/** An event of a key does not follow an event of this key and order that has ended without an outcome. */
const sendInOrder = async (
  orders: Orders,
  events: readonly OnceEvent[],
  order: object | undefined,
  sendThem: (events: readonly OnceEvent[]) => Promise<readonly OnceOutcome[]>,
): Promise<readonly OnceOutcome[]> => {
  const [first] = events;
  if (order === undefined || first === undefined) return sendThem(events);
  const turn = await orders.take(order, first.id.slot);
  const wanted = events.filter(({ record }) => !turn.hasFailed(record.key));
  const outcomes = wanted.length === 0 ? [] : await sendThem(wanted);
  turn.end(wanted.filter((_, index) => isWithoutOutcome(outcomes[index])).map(({ record }) => record.key));
  const byEvent = new Map(wanted.map((event, index) => [event, outcomes[index]]));
  return events.map((event) => byEvent.get(event) ?? notAppended());
};

const isWithoutOutcome = (outcome: OnceOutcome | undefined): boolean =>
  outcome === undefined ||
  outcome.status === "unresolved" ||
  outcome.status === "leaderless" ||
  (outcome.status === "failed" && outcome.error.outcome !== "refused");

interface HomeCall {
  readonly topic: string;
  readonly slot: number;
  readonly request: number;
  readonly events: readonly OnceEvent[];
}

/** Sends the parts one after the other, which keeps the order of the events of a key. */
const sendParts = async (
  options: OnceOptions,
  { events, ...call }: HomeCall,
  how: AppendOnceOptions,
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
  { home, appendUnchecked }: OnceOptions,
  { topic, slot, request, events }: HomeCall,
  { strict, deadlineMs }: AppendOnceOptions,
): Promise<readonly OnceOutcome[]> => {
  try {
    const message: OnceCall = { topic, request, events };
    const answer = await home.callSlot(slot, {
      path: PATH,
      message,
      get body() {
        return encodeCall(message);
      },
      waitMs: deadlineMs,
      signal: NEVER,
    });
    const outcomes = (answer.message as readonly CoreOutcome[] | undefined) ?? decodeOutcomes(answer.body);
    answer.ended(true);
    return outcomes.map((outcome) => outcomeOf(outcome, answer.isRepeated));
  } catch (cause) {
    const error = asGatewayError(cause);
    if (strict || error.code !== "HOME_UNAVAILABLE") return events.map(() => ({ status: "failed", error }));
    const records = events.map(({ record }) => ({ ...record, headers: [...record.headers, UNCHECKED] }));
    const outcomes = await appendUnchecked(topic, records);
    return outcomes.map((outcome) =>
      outcome.status === "stored" ? { ...outcome, unchecked: true } : outcome,
    );
  }
};

/** `isRepeated`: another process may have stored the event before it lost the slot. */
const outcomeOf = (outcome: CoreOutcome, isRepeated: boolean | undefined): OnceOutcome => {
  if (outcome.status === "stored") {
    const { partition, offset, timestamp, isDuplicate } = outcome;
    const stored: StoredRecord = { status: "stored", partition, offset: BigInt(offset), timestamp };
    return isDuplicate ? { ...stored, duplicate: true } : stored;
  }
  if (outcome.status === "refused") return { status: "failed", error: outcome.error };
  if (outcome.status !== "unavailable") return { status: outcome.status };
  const code = isRepeated === true ? "BROKER_AMBIGUOUS" : "BROKER_UNAVAILABLE";
  return { status: "failed", error: new GatewayError(code) };
};
