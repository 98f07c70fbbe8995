/** Stores the events of a request once: computes their ids, and sends the events to the homes of the ids. */
import type { BrokerRecord } from "../broker/broker.ts";
import { asGatewayError, GatewayError } from "../errors.ts";
import { createCallIds, createStationIds } from "../once/event-id.ts";
import type { EventId, Once, OnceOutcome } from "../once/once.ts";
import type { TopicViews } from "../once/topic-views.ts";
import type { IdentifiedRecord } from "./incoming-event.ts";
import type { EventOutcome, ProduceRequest } from "./produce.ts";

/** A record, and its place among the events of the request. */
export interface PlacedRecord {
  readonly record: IdentifiedRecord;
  readonly place: number;
}

/** Stores the records of one request. */
export interface OnceAppend {
  /** Never rejects. undefined: `append` can begin at once. If it begins earlier, the order of the requests may be lost. */
  readonly ready: Promise<unknown> | undefined;
  /** One outcome per record, in order; never rejects. */
  append(records: readonly PlacedRecord[]): Promise<readonly EventOutcome[]>;
}

/** undefined: the events of the request have no ids. */
export type AppendsOnce = (request: ProduceRequest) => OnceAppend | undefined;

/** How an event with an id ended. `refused` includes another payload under the same key. */
export type OnceEnding = "stored" | "duplicate" | "refused" | "unavailable";

export interface AppendsOnceOptions {
  readonly once: Once;
  readonly views: Pick<TopicViews, "view">;
  readonly slots: number;
  /** Milliseconds: the time of a call. */
  readonly deadlineMs: number;
  /** Called with the number of events of each ending. */
  readonly ended: (ending: OnceEnding, count: number) => void;
}

export const createAppendsOnce = (options: AppendsOnceOptions): AppendsOnce => {
  const { once, slots, deadlineMs } = options;

  const store = async (
    { station: { topic }, order }: ProduceRequest,
    records: readonly PlacedRecord[],
    { strict, idOf }: { readonly strict: boolean; readonly idOf: (placed: PlacedRecord) => EventId },
  ): Promise<readonly EventOutcome[]> => {
    const events = records.map((placed) => ({ record: stored(placed.record), id: idOf(placed) }));
    const outcomes = (await once.append(topic, events, { order, strict, deadlineMs })).map(outcomeOf);
    count(outcomes, options.ended);
    return outcomes;
  };

  const ofStation = (
    request: ProduceRequest,
    { windowMs: window, strict }: { readonly windowMs: number; readonly strict: boolean },
  ): OnceAppend => {
    const { name, topic } = request.station;
    let topicId: string | undefined;
    const find = async (): Promise<string> => (await options.views.view(topic)).id;
    return {
      ready: find().then(
        (id) => {
          topicId = id;
        },
        () => undefined,
      ),
      append: async (records) => {
        const known = topicId ?? (await find().catch(asGatewayError));
        if (known instanceof GatewayError) return records.map(() => ({ status: "failed", error: known }));
        // The topic may be created again before the next append.
        topicId = undefined;
        const idOfEvent = createStationIds({ station: name, topicId: known, window, slots });
        const idOf = ({ record: { eventId = "", key } }: PlacedRecord) => idOfEvent(eventId, key);
        return store(request, records, { strict, idOf });
      },
    };
  };

  return (request) => {
    const { station, callId } = request;
    if (station.once !== undefined) return ofStation(request, station.once);
    if (callId === undefined) return undefined;
    const { scope, windowMs: window, payload, strict } = callId;
    const idAt = createCallIds({ scope, window, slots, payload });
    return {
      ready: undefined,
      append: (records) => store(request, records, { strict, idOf: ({ place }) => idAt(place) }),
    };
  };
};

/** The event's id is no part of the record. */
const stored = ({ eventId: _, ...record }: IdentifiedRecord): BrokerRecord => record;

const outcomeOf = (outcome: OnceOutcome): EventOutcome => {
  switch (outcome.status) {
    case "stored":
    case "failed":
      return outcome;
    case "reused":
      return { status: "failed", error: new GatewayError("IDEMPOTENCY_KEY_REUSED") };
    case "unresolved":
      return { status: "failed", error: new GatewayError("ID_UNRESOLVED") };
    case "leaderless":
      return { status: "failed", error: new GatewayError("BROKER_AMBIGUOUS") };
  }
};

const ENDINGS = ["stored", "duplicate", "refused", "unavailable"] as const;

const endingOf = (outcome: EventOutcome): OnceEnding => {
  if (outcome.status === "stored") return outcome.duplicate === true ? "duplicate" : "stored";
  return outcome.status === "failed" && outcome.error.outcome === "refused" ? "refused" : "unavailable";
};

const count = (outcomes: readonly EventOutcome[], ended: AppendsOnceOptions["ended"]): void => {
  const counts = { stored: 0, duplicate: 0, refused: 0, unavailable: 0 };
  for (const outcome of outcomes) counts[endingOf(outcome)] += 1;
  for (const ending of ENDINGS) if (counts[ending] > 0) ended(ending, counts[ending]);
};
