/** How a call's events reach the one produce path: held to its caller's rates, and counted for its log line. */
import { GatewayError } from "../errors.ts";
import type { Caller, Demand, Rates } from "../ingest/limits/rates.ts";
import type { EventOutcome, IncomingEvent, Produce } from "../ingest/produce.ts";
import type { Station } from "../ingest/stations.ts";
import type { AuthorisedCall, CallFacts } from "./call.ts";

export type Events = readonly (IncomingEvent | GatewayError)[];

/** Settles with one outcome per event, in order. */
export type Store = (station: Station, events: Events) => Promise<readonly EventOutcome[]>;

export interface Intake {
  /** For calls that are stored in another way: takes all of the demand, or throws RATE_LIMITED. */
  admit(call: AuthorisedCall, demand: Demand): void;
  /** Takes a whole call, or nothing of it: rejects with RATE_LIMITED, and as `Produce` does. */
  submit(call: AuthorisedCall, station: Station, events: Events): Promise<readonly EventOutcome[]>;
  /**
   * For calls without an end: the call counts now (RATE_LIMITED), each event when it comes, and then RATE_LIMITED is
   * that event's outcome. What is stored through it keeps its order.
   */
  openStream(call: AuthorisedCall): Store;
}

export interface IntakeDependencies {
  readonly produce: Produce;
  readonly rates: Rates;
}

export const createIntake = ({ produce, rates }: IntakeDependencies): Intake => {
  const admit = (call: AuthorisedCall, demand: Demand): void => {
    const caller = callerOf(call);
    const refused = rates.take(caller, demand);
    setQuotaHeaders(call, rates.quota(caller));
    if (refused !== undefined) throw refused;
  };

  return {
    admit,
    submit: async (call, station, events) => {
      const bytes = events.reduce((sum, event) => sum + sizeOf(event), 0);
      admit(call, { requests: 1, events: events.length, bytes });
      if (events.length === 0) return [];
      const outcomes = await produce({ principal: call.principal, station, events });
      count(call.facts, outcomes);
      return outcomes;
    },
    openStream: (call) => {
      admit(call, { requests: 1, events: 0, bytes: 0 });
      const { principal } = call;
      const caller = callerOf(call);
      const order = {};
      const held = (event: IncomingEvent | GatewayError): IncomingEvent | GatewayError =>
        rates.take(caller, { requests: 0, events: 1, bytes: sizeOf(event) }) ?? event;
      return async (station, events) => {
        const outcomes = await produce({ principal, station, events: events.map(held), order });
        count(call.facts, outcomes);
        return outcomes;
      };
    },
  };
};

/**
 * The address is worked out only where addresses have limits. By a function and not by a getter: each object literal
 * with a getter is a shape of its own to V8, which holds the request until the next full collection (25% of the CPU).
 */
const callerOf = ({ principal, request }: AuthorisedCall): Caller => ({
  principal,
  address: () => request.ip ?? "",
});

const sizeOf = (event: IncomingEvent | GatewayError): number =>
  event instanceof GatewayError ? 0 : (event.value?.length ?? 0);

const setQuotaHeaders = ({ response }: AuthorisedCall, quota: ReturnType<Rates["quota"]>): void => {
  if (quota === undefined) return;
  response.setHeader("RateLimit-Limit", quota.limit);
  response.setHeader("RateLimit-Remaining", quota.remaining);
  response.setHeader("RateLimit-Reset", quota.reset);
};

const count = (facts: CallFacts, outcomes: readonly EventOutcome[]): void => {
  let stored = 0;
  let refused = 0;
  for (const outcome of outcomes) {
    if (outcome.status === "stored") stored += 1;
    else if (outcome.error.outcome === "refused") refused += 1;
  }
  const unstored = outcomes.length - stored - refused;
  facts.stored = (facts.stored ?? 0) + stored;
  if (refused > 0) facts.refused = (facts.refused ?? 0) + refused;
  if (unstored > 0) facts.unstored = (facts.unstored ?? 0) + unstored;
};
