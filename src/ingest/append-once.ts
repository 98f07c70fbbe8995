/** Stores the events of a request once, through the homes of their ids. */
import type { BrokerRecord } from "../broker/broker.ts";
import { carrying, type IdSource, type SourcedRecord } from "./event-ids.ts";
import type { IdentifiedRecord } from "./incoming-event.ts";
import type { OnceStore } from "./once-store.ts";
import type { AppendsOnce, PlacedRecord, ProduceRequest, ProduceSpool } from "./produce.ts";

/** `spool`: takes the events of some requests while their homes can't be reached. */
export const createAppendsOnce =
  (store: OnceStore, spool: ProduceSpool | undefined): AppendsOnce =>
  (request) => {
    const { station, callId, order } = request;
    const sourceOf = station.once === undefined ? callSources(callId) : stationSources(station);
    if (sourceOf === undefined) return undefined;
    const { topic } = station;
    return (records) => {
      const events = records.map((placed): SourcedRecord => {
        return { record: stored(placed.record), source: sourceOf(placed) };
      });
      return spool?.takes(request) === true
        ? spool.append(topic, events.map(carrying), order)
        : store.append(topic, events, order);
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
