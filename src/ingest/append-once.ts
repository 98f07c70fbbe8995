/** Stores the events of a request once, through the homes of their ids. */
import type { BrokerRecord } from "../broker/broker.ts";
import { carrying, type IdSource, type SourcedRecord } from "./event-ids.ts";
import type { IdentifiedRecord } from "./incoming-event.ts";
import type { OnceStore } from "./once-store.ts";
import type { EventOutcome, ProduceRequest, ProduceSpool } from "./produce.ts";

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

/** `spool`: takes the events of some requests while their homes can't be reached. */
export const createAppendsOnce =
  (store: OnceStore, spool: ProduceSpool | undefined): AppendsOnce =>
  (request) => {
    const { station, callId, order } = request;
    const sourceOf = station.once === undefined ? callSources(callId) : stationSources(station);
    if (sourceOf === undefined) return undefined;
    const { topic } = station;
    return {
      ready: station.once === undefined ? undefined : store.ready(topic),
      append: (records) => {
        const events = records.map((placed): SourcedRecord => {
          return { record: stored(placed.record), source: sourceOf(placed) };
        });
        return spool?.takes(request) === true
          ? spool.append(topic, events.map(carrying), order)
          : store.append(topic, events, order);
      },
    };
  };

type SourceOf = (placed: PlacedRecord) => IdSource;

const stationSources = ({ name, once }: ProduceRequest["station"]): SourceOf | undefined =>
  once &&
  (({ record: { eventId = "" } }) => {
    const { windowMs: window, strict } = once;
    return { kind: "event", station: name, id: eventId, window, strict };
  });

const callSources = (callId: ProduceRequest["callId"]): SourceOf | undefined =>
  callId &&
  (({ place }) => {
    const { scope, windowMs: window, strict } = callId;
    return { kind: "call", scope, place, window, strict, payload: callId.payload?.toString("base64") };
  });

/** The event's id is no part of the record. */
const stored = ({ eventId: _, ...record }: IdentifiedRecord): BrokerRecord => record;
