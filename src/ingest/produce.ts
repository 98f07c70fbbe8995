/** Produces the events of every API: checks the right, validates, takes the key, appends. Returns one outcome per event. */
import { requireStation } from "../auth/permissions.ts";
import type { Principal } from "../auth/principal.ts";
import type { BrokerRecord } from "../broker/broker.ts";
import type { SpoolOutcome } from "../spool/topic-calls.ts";
import { asGatewayError, GatewayError } from "../errors.ts";
import { paced } from "../lib/event-loop.ts";
import type { Batcher } from "./batcher/batcher.ts";
import type { Order } from "./batcher/topic-queue.ts";
import type { CallId, SpoolableEvent } from "./event-ids.ts";
import {
  createRecordsOfCall,
  type IdentifiedRecord,
  type IncomingEvent,
  type RecordLimits,
  type ToRecord,
} from "./incoming-event.ts";
import { countOutcomes, type EventFailure, type EventOutcome, type EventsEnded, merged } from "./outcomes.ts";
import type { CallSchemas, RecordSchemas } from "./schema/record-schemas.ts";
import { type Station, type Stations, stationUnknown } from "./stations.ts";
import { createTurns } from "./turns.ts";

export type { IncomingEvent } from "./incoming-event.ts";
export { acceptedEvent } from "./outcomes.ts";
export type { EventFailure, EventOutcome } from "./outcomes.ts";

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

/** Settles with one outcome per event, in order. Rejects only with STATION_FORBIDDEN, and then nothing is stored. */
export type Produce = (request: ProduceRequest) => Promise<readonly EventOutcome[]>;

type Ended = (outcomes: readonly EventOutcome[]) => void;

export interface ProduceOptions extends RecordLimits {
  readonly batcher: Pick<Batcher, "watch">;
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
  readonly eventsEnded?: EventsEnded;
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

/** Most calls have one event: they take one promise and one callback between the request and the broker. */
export const createProduce = (options: ProduceOptions): Produce => {
  const turns = createTurns();
  const recordsOf = oncePerStation((station) => createRecordsOfCall(station, options));
  return (request) =>
    new Promise((resolve, reject) => {
      const { principal, station, events, order } = request;
      requireProducible(principal, station, options.reservedTopic);
      const schemas = options.schemas?.(station, events);
      const toRecord = recordsOf(station)({ arrival: options.now(), schemas });
      const once = options.once?.(request);
      const turn = turns.take(order, schemas?.waiting);

      const end = (judged: Judged, stored: readonly EventOutcome[]): void => {
        const outcomes =
          judged.refused === undefined ? stored : merged(events.length, judged.refused, stored);
        countOutcomes(station, outcomes, options.eventsEnded);
        resolve(schemas === undefined ? outcomes : described(outcomes, events, schemas, judged));
      };
      const storeJudged = (judged: Judged): void => {
        const ended: Ended = (stored) => {
          try {
            end(judged, stored);
          } catch (error) {
            reject(asGatewayError(error));
          }
        };
        if (once === undefined) {
          const append: Append<BrokerRecord> = (records, then) => {
            appendTo(options, request, records, then);
          };
          store(options, { station, records: judged.records, append, ended });
        } else {
          const append: Append<PlacedRecord> = (records, then) => void once(records).then(then);
          store(options, { station, records: placed(judged), append, ended });
        }
        turn?.end();
      };
      const begin = (): void => {
        const judging = judgeAll(events, toRecord, order !== undefined || events.length <= SHORT_CALL);
        if (judging instanceof Promise) judging.then(storeJudged).catch(reject);
        else storeJudged(judging);
      };
      if (turn === undefined) begin();
      else turn.begun.then(begin).catch(reject);
    });
};

/** There are few stations, and they live long. */
const oncePerStation = <T>(make: (station: Station) => T): ((station: Station) => T) => {
  const made = new WeakMap<Station, { readonly value: T }>();
  return (station) => {
    const known = made.get(station);
    if (known !== undefined) return known.value;
    const value = make(station);
    made.set(station, { value });
    return value;
  };
};

const appendTo = (
  { spool, batcher }: Pick<ProduceOptions, "spool" | "batcher">,
  request: ProduceRequest,
  records: readonly BrokerRecord[],
  ended: Ended,
): void => {
  const { station, order } = request;
  if (spool?.takes(request) === true) void spool.append(station.topic, records, order).then(ended);
  else batcher.watch(station.topic, records, { order, ended });
};

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
  /** By the index of the event. undefined: none. */
  readonly refused: ReadonlyMap<number, EventFailure> | undefined;
}

/**
 * Never rejects. An ordered call is validated without a pause: it is never long, and the next call of its order must not
 * overtake it.
 */
const judgeAll = (
  events: ProduceRequest["events"],
  toRecord: ToRecord,
  atOnce: boolean,
): Judged | Promise<Judged> => {
  const records: IdentifiedRecord[] = [];
  let refused: Map<number, EventFailure> | undefined;
  const judge = (i: number): void => {
    const event = events[i];
    if (event === undefined) return;
    const record = event instanceof GatewayError ? event : toRecord(event);
    if (record instanceof GatewayError)
      (refused ??= new Map<number, EventFailure>()).set(i, { status: "failed", error: record });
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
    while (refused?.has(place) === true) place += 1;
    return { record, place: place++ };
  });
};

/** `ended` gets one outcome per record, in order. */
type Append<T> = (records: readonly T[], ended: Ended) => void;

interface Storing<T> {
  readonly station: Station;
  readonly records: readonly T[];
  readonly append: Append<T>;
  readonly ended: Ended;
}

/** As `append`. Recreates a deleted topic once, if `autoCreateStations` is on, and appends again. */
const store = <T>(
  { stations }: Pick<ProduceOptions, "stations">,
  { station, records, append, ended }: Storing<T>,
): void => {
  append(records, (outcomes) => {
    if (!outcomes.some(isTopicGone)) {
      ended(outcomes);
      return;
    }
    void recreated(stations, station).then((refusal) => {
      if (refusal !== undefined) {
        ended(
          outcomes.map((outcome) => (isTopicGone(outcome) ? { status: "failed", error: refusal } : outcome)),
        );
        return;
      }
      const lost = records.filter((_, i) => isTopicGone(outcomes[i]));
      append(lost, (others) => {
        const again = others.values();
        ended(outcomes.map((outcome) => (isTopicGone(outcome) ? (again.next().value ?? outcome) : outcome)));
      });
    });
  });
};

/** Recreates the topic of a station, and returns the error if it doesn't exist then. */
const recreated = async (
  stations: ProduceOptions["stations"],
  station: Station,
): Promise<GatewayError | undefined> => {
  try {
    return (await stations.recreate(station)) ? undefined : stationUnknown(station.name);
  } catch (error) {
    return asGatewayError(error);
  }
};

const isTopicGone = (outcome: EventOutcome | undefined): boolean =>
  outcome?.status === "failed" && outcome.error.code === "STATION_UNKNOWN";

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
    const record = refused?.has(i) === true ? undefined : sent.next().value;
    if (record === undefined || event === undefined || event instanceof GatewayError) return outcome;
    if (outcome.status !== "stored" || event.exactHeaders !== true) return outcome;
    const [keyBytes, valueBytes] = [record.key?.length ?? 0, record.value?.length ?? 0];
    // The spreads come last: a literal that begins with one costs 1 to 7 µs (docs/performance.md).
    return { written: { keyBytes, valueBytes, ...schemas.written(event) }, ...outcome };
  });
};
