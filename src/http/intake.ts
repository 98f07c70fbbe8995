/** Passes the events of a call to `produce`: checks the caller's rates, and counts the outcomes for the log line. */
import { GatewayError } from "../errors.ts";
import { type IncomingEvent, sizeOfEvent } from "../ingest/incoming-event.ts";
import type { Rates } from "../ingest/limits.ts";
import type { EventOutcome, Produce, ProduceRequest } from "../ingest/produce.ts";
import type { Station } from "../ingest/stations.ts";
import type { AuthorisedCall, Call, CallFacts } from "./call.ts";
import { markSpooled } from "./results.ts";

export type Events = readonly (IncomingEvent | GatewayError)[];

/** Settles with one outcome per event, in order. */
export type Store = (station: Station, events: Events) => Promise<readonly EventOutcome[]>;

export type SubmitOptions = Pick<ProduceRequest, "callId" | "isBeacon">;

/** Events and their bytes: keys, values and headers. */
export interface Amount {
  readonly events: number;
  readonly bytes: number;
}

export interface Intake {
  /** Maximum size of an event's value in bytes. A larger event is refused with RECORD_TOO_LARGE. */
  readonly maxEventBytes: number;
  /** Counts events that are not stored through `submit` against the caller's rate. Throws RATE_LIMITED and counts none. */
  admit(call: AuthorisedCall, amount: Amount): void;
  /** Throws the error with which `submit` would reject this amount. Counts nothing. Call it before the events are built. */
  expect(call: AuthorisedCall, amount: Amount): void;
  /** Counts the bytes of a part of a body that is not an event, for example invalid JSON. */
  unreadable(call: AuthorisedCall, bytes: number): void;
  /** Returns the result of `read`. If `read` throws or rejects, counts the bytes of the body. */
  reading<T>(call: AuthorisedCall, body: Buffer, read: () => T): T;
  /**
   * Counts the events against the caller's rate and stores them as `Produce` does. Throws RATE_LIMITED or
   * EVENTS_TOO_MANY, and then counts and stores no event. Rejects with IDEMPOTENCY_KEY_REUSED, and then stores no event. If
   * an event could not be read, the bytes of the whole body count.
   */
  submit(
    call: AuthorisedCall,
    station: Station,
    events: Events,
    options?: SubmitOptions,
  ): Promise<readonly EventOutcome[]>;
  /**
   * For streams: each event counts when it arrives, and RATE_LIMITED is the outcome of that event alone. The events keep
   * their order.
   */
  openStream(call: AuthorisedCall): Store;
}

export interface IntakeDependencies {
  readonly produce: Produce;
  readonly rates: Rates;
  readonly maxEventBytes: number;
}

/** Counts a call, whatever its answer is; a call without a principal counts for its address. Throws RATE_LIMITED. */
export type CountCall = (call: Call) => void;

const ONE_CALL = { requests: 1, events: 0, bytes: 0 };

export const callCounter =
  (rates: Rates): CountCall =>
  (call) => {
    const refused = rates.take(call, ONE_CALL);
    setQuotaHeaders(call, rates.quota(call));
    if (refused !== undefined) throw refused;
  };

export const createIntake = ({ produce, rates, maxEventBytes }: IntakeDependencies): Intake => {
  const admit = (call: AuthorisedCall, { events, bytes }: Amount): void => {
    const refused = rates.take(call, { requests: 0, events, bytes });
    setQuotaHeaders(call, rates.quota(call));
    if (refused !== undefined) throw refused;
  };

  const unreadable = (call: AuthorisedCall, bytes: number): void => {
    rates.spend(call, { requests: 0, events: 0, bytes });
  };

  return {
    maxEventBytes,
    admit,
    unreadable,
    expect: (call, { events, bytes }) => {
      const refused = rates.refusal(call, { requests: 0, events, bytes });
      if (refused !== undefined) throw refused;
    },
    reading: (call, body, read) => {
      const pay = (): void => {
        unreadable(call, body.length);
      };
      try {
        const found = read();
        if (found instanceof Promise) found.catch(pay);
        return found;
      } catch (error) {
        pay();
        throw error;
      }
    },
    submit: (call, station, events, options) => {
      admit(call, { events: events.length, bytes: bytesOf(call, events) });
      if (events.length === 0) return Promise.resolve([]);
      return produce({ principal: call.principal, station, events, ...options }).then((outcomes) => {
        markSpooled(call.response, outcomes);
        count(call.facts, outcomes);
        requireOwnKey(outcomes);
        return outcomes;
      });
    },
    openStream: (call) => {
      const { principal } = call;
      const order = {};
      const held = (event: IncomingEvent | GatewayError): IncomingEvent | GatewayError =>
        rates.take(call, { requests: 0, events: 1, bytes: sizeOfEvent(event) }) ?? event;
      return async (station, events) => {
        const outcomes = await produce({ principal, station, events: events.map(held), order });
        count(call.facts, outcomes);
        return outcomes;
      };
    },
  };
};

/** Throws IDEMPOTENCY_KEY_REUSED if it is the outcome of an event: the key belongs to the call as a whole. */
const requireOwnKey = (outcomes: readonly EventOutcome[]): void => {
  for (const outcome of outcomes)
    if (outcome.status === "failed" && outcome.error.code === "IDEMPOTENCY_KEY_REUSED") throw outcome.error;
};

const bytesOf = ({ facts }: AuthorisedCall, events: Events): number => {
  let bytes = 0;
  let isWhole = true;
  for (const event of events) {
    bytes += sizeOfEvent(event);
    if (event instanceof GatewayError) isWhole = false;
  }
  return isWhole ? bytes : Math.max(bytes, facts.bytes ?? 0);
};

const setQuotaHeaders = ({ response }: Call, quota: ReturnType<Rates["quota"]>): void => {
  if (quota === undefined || response.headersSent) return;
  response.setHeader("RateLimit-Limit", quota.limit);
  response.setHeader("RateLimit-Remaining", quota.remaining);
  response.setHeader("RateLimit-Reset", quota.reset);
};

const count = (facts: CallFacts, outcomes: readonly EventOutcome[]): void => {
  let stored = 0;
  let refused = 0;
  for (const outcome of outcomes) {
    if (outcome.status !== "failed") stored += 1;
    else if (outcome.error.outcome === "refused") refused += 1;
  }
  const unstored = outcomes.length - stored - refused;
  facts.stored = (facts.stored ?? 0) + stored;
  if (refused > 0) facts.refused = (facts.refused ?? 0) + refused;
  if (unstored > 0) facts.unstored = (facts.unstored ?? 0) + unstored;
};
