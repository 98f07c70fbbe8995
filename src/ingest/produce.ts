/** Produces the events of every API: checks the right, validates, takes the key, appends. Returns one outcome per event. */
import { requireStation } from "../auth/permissions.ts";
import type { Principal } from "../auth/principal.ts";
import type { BrokerRecord, StoredRecord } from "../broker/broker.ts";
import type { SpooledOutcome, SpoolOutcome } from "../spool/topic-calls.ts";
import { asGatewayError, type FailureOutcome, GatewayError } from "../errors.ts";
import { paced } from "../lib/event-loop.ts";
import type { Batcher } from "./batcher/batcher.ts";
import type { Order } from "./batcher/topic-queue.ts";
import type { CallId, SpoolableEvent } from "./event-ids.ts";
import {
  createToRecord,
  type IdentifiedRecord,
  type IncomingEvent,
  type RecordLimits,
} from "./incoming-event.ts";
import type { CallSchemas, RecordSchemas, WrittenSchemas } from "./schema/record-schemas.ts";
import { type Station, type Stations, stationUnknown } from "./stations.ts";
import { createTurns } from "./turns.ts";

export type { IncomingEvent } from "./incoming-event.ts";

export interface ProduceRequest {
  readonly principal: Principal;
  readonly station: Station;
  /** An error stands for an event that the API could not parse or refused; it becomes the outcome of that event. */
  readonly events: readonly (IncomingEvent | GatewayError)[];
  /** Calls with the same `Order` object reach the broker in the order of the calls. */
  readonly order?: Order;
  /** True: the events are those of a beacon call. */
  readonly isBeacon?: boolean;
  /** undefined: the events have no ids of the call. */
  readonly callId?: CallId | undefined;
}

export interface EventFailure {
  readonly status: "failed";
  /** `error.outcome`: refused (a retry fails too), unavailable (not stored, send again) or unknown (may be stored). */
  readonly error: GatewayError;
}

export interface StoredEvent extends StoredRecord {
  /** The schemas of the registry that a record of the REST Proxy API is written with. undefined: none. */
  readonly written?: WrittenRecord;
  /** The event was stored by an earlier request with the same id; partition and offset are those of that event. */
  readonly duplicate?: true;
}

/** The schemas of a record, and the bytes of its key and its value as stored. */
export interface WrittenRecord extends WrittenSchemas {
  readonly keyBytes: number;
  readonly valueBytes: number;
}

/** `spooled`: the event is on the disk of this pod, and goes to Kafka later. */
export type EventOutcome = StoredEvent | SpooledOutcome | EventFailure;

/** The outcome of a call's only event. Throws the error of the event if it failed. */
export const acceptedEvent = ([outcome]: readonly EventOutcome[]): StoredEvent | SpooledOutcome => {
  if (outcome === undefined) throw new GatewayError("INTERNAL");
  if (outcome.status === "failed") throw outcome.error;
  return outcome;
};

/** Settles with one outcome per event, in order. Rejects only with STATION_FORBIDDEN, and then nothing is stored. */
export type Produce = (request: ProduceRequest) => Promise<readonly EventOutcome[]>;

export interface ProduceOptions extends RecordLimits {
  readonly batcher: Pick<Batcher, "append">;
  /** undefined: there is no spool. */
  readonly spool?: ProduceSpool | undefined;
  /** undefined: no event has an id. */
  readonly once?: AppendsOnce | undefined;
  readonly stations: Pick<Stations, "recreate">;
  /** undefined: no schema registry is configured. */
  readonly schemas?: RecordSchemas | undefined;
  /** The topic of the audit entries: nobody may produce to its stations. */
  readonly reservedTopic?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Called with the number of events of each outcome. */
  readonly eventsEnded?: (
    station: string,
    outcome: "stored" | "spooled" | FailureOutcome,
    count: number,
  ) => void;
}

export interface ProduceSpool {
  /** True: the spool takes the events of this request while Kafka is unavailable. */
  takes(request: ProduceRequest): boolean;
  /** True: the spool of the pod has events of this topic. */
  isSpooling(topic: string): boolean;
  /** As `Batcher.append`, and for each record also the outcome `spooled`. */
  append(topic: string, events: readonly SpoolableEvent[], order?: Order): Promise<readonly SpoolOutcome[]>;
}

/** A record, and its place among the events of the request. */
export interface PlacedRecord {
  readonly record: IdentifiedRecord;
  readonly place: number;
}

/** Stores the records of one request. One outcome per record, in order; never rejects. */
export type OnceAppend = (records: readonly PlacedRecord[]) => Promise<readonly EventOutcome[]>;

/** undefined: the events of the request have no ids. */
export type AppendsOnce = (request: ProduceRequest) => OnceAppend | undefined;

/** Up to this many events are validated in one turn of the event loop. */
const SHORT_CALL = 16;

export const createProduce = (options: ProduceOptions): Produce => {
  const turns = createTurns();
  return async (request) => {
    const { principal, station, events, order } = request;
    requireProducible(principal, station, options.reservedTopic);
    const schemas = options.schemas?.(station, events);
    const toRecord = createToRecord(station, { arrival: options.now(), limits: options, schemas });
    const once = options.once?.(request);
    const turn = turns.take(order, schemas?.waiting);
    if (turn !== undefined) await turn.begun;
    const judging = judgeAll(events, toRecord, order !== undefined || events.length <= SHORT_CALL);
    const judged = judging instanceof Promise ? await judging : judging;
    const { records, refused } = judged;
    const storing =
      once === undefined
        ? store(options, station, records, (some) => appendTo(options, request, some))
        : store(options, station, placed(judged), once);
    turn?.end();
    const stored = await storing;
    const outcomes = refused.size === 0 ? stored : merged(events.length, refused, stored);
    count(station, outcomes, options);
    return schemas === undefined ? outcomes : described(outcomes, events, schemas, judged);
  };
};

const appendTo = (
  { spool, batcher }: Pick<ProduceOptions, "spool" | "batcher">,
  request: ProduceRequest,
  records: readonly BrokerRecord[],
): Promise<readonly EventOutcome[]> =>
  (spool?.takes(request) === true ? spool : batcher).append(request.station.topic, records, request.order);

/** Throws STATION_FORBIDDEN. */
const requireProducible = (
  principal: Principal,
  { name, topic }: Station,
  reservedTopic: string | undefined,
): void => {
  requireStation(principal, "produce", name);
  if (topic !== reservedTopic) return;
  throw new GatewayError("STATION_FORBIDDEN", {
    message: `station ${name} has the audit entries; only the gateway stores events in it`,
  });
};

interface Judged {
  readonly records: readonly IdentifiedRecord[];
  /** By the index of the event. */
  readonly refused: ReadonlyMap<number, EventFailure>;
}

/**
 * Never rejects. An ordered call is validated without a pause: it is never long, and the next call of its order must not
 * overtake it.
 */
const judgeAll = (
  events: ProduceRequest["events"],
  toRecord: ReturnType<typeof createToRecord>,
  atOnce: boolean,
): Judged | Promise<Judged> => {
  const records: IdentifiedRecord[] = [];
  const refused = new Map<number, EventFailure>();
  const judge = (i: number): void => {
    const event = events[i];
    if (event === undefined) return;
    const record = event instanceof GatewayError ? event : toRecord(event);
    if (record instanceof GatewayError) refused.set(i, { status: "failed", error: record });
    else records.push(record);
  };
  if (!atOnce) return paced(events.length, judge).then(() => ({ records, refused }));
  for (let i = 0; i < events.length; i++) judge(i);
  return { records, refused };
};

/** The records with their places among the events of the request. */
const placed = ({ records, refused }: Judged): readonly PlacedRecord[] => {
  let place = 0;
  return records.map((record) => {
    while (refused.has(place)) place += 1;
    return { record, place: place++ };
  });
};

/** Recreates a deleted topic once, if `autoCreateStations` is on, and appends again. */
const store = async <T>(
  { stations }: Pick<ProduceOptions, "stations">,
  station: Station,
  records: readonly T[],
  append: (records: readonly T[]) => Promise<readonly EventOutcome[]>,
): Promise<readonly EventOutcome[]> => {
  const outcomes = await append(records);
  if (!outcomes.some(isTopicGone)) return outcomes;
  const recreated = await stations.recreate(station).catch(asGatewayError);
  if (recreated instanceof GatewayError) return outcomes.map((outcome) => orInstead(outcome, recreated));
  if (!recreated) return outcomes.map((outcome) => orInstead(outcome, stationUnknown(station.name)));
  const lost = records.filter((_, i) => isTopicGone(outcomes[i]));
  const again = (await append(lost)).values();
  return outcomes.map((outcome) => (isTopicGone(outcome) ? (again.next().value ?? outcome) : outcome));
};

const isTopicGone = (outcome: EventOutcome | undefined): boolean =>
  outcome?.status === "failed" && outcome.error.code === "STATION_UNKNOWN";

const orInstead = (outcome: EventOutcome, error: GatewayError): EventOutcome =>
  isTopicGone(outcome) ? { status: "failed", error } : outcome;

const merged = (
  events: number,
  refused: ReadonlyMap<number, EventFailure>,
  stored: readonly EventOutcome[],
): readonly EventOutcome[] => {
  const others = stored.values();
  const outcomes: EventOutcome[] = [];
  for (let i = 0; i < events; i++) {
    const outcome = refused.get(i) ?? others.next().value;
    if (outcome !== undefined) outcomes.push(outcome);
  }
  return outcomes;
};

/** Adds the schemas to the outcomes of the REST Proxy API, whose reports name them. */
const described = (
  outcomes: readonly EventOutcome[],
  events: ProduceRequest["events"],
  schemas: CallSchemas,
  { records, refused }: Judged,
): readonly EventOutcome[] => {
  const sent = records.values();
  return outcomes.map((outcome, i) => {
    const event = events[i];
    const record = refused.has(i) ? undefined : sent.next().value;
    if (record === undefined || event === undefined || event instanceof GatewayError) return outcome;
    if (outcome.status !== "stored" || event.exactHeaders !== true) return outcome;
    const sizes = { keyBytes: record.key?.length ?? 0, valueBytes: record.value?.length ?? 0 };
    return { ...outcome, written: { ...schemas.written(event), ...sizes } };
  });
};

const ENDINGS = ["stored", "spooled", "refused", "unavailable", "unknown"] as const;

/** A duplicate was counted as stored when its first event came. */
const isDuplicate = (outcome: EventOutcome): boolean =>
  outcome.status === "stored" && outcome.duplicate === true;

const count = (
  station: Station,
  outcomes: readonly EventOutcome[],
  { eventsEnded }: ProduceOptions,
): void => {
  const counts = { stored: 0, spooled: 0, refused: 0, unavailable: 0, unknown: 0 };
  for (const outcome of outcomes)
    if (!isDuplicate(outcome)) counts[outcome.status === "failed" ? outcome.error.outcome : outcome.status]++;
  for (const ending of ENDINGS) if (counts[ending] > 0) eventsEnded?.(station.name, ending, counts[ending]);
};
