/** Stores the events of a request once, through the homes of their ids. */
import type { SourcedRecord } from "./event-ids.ts";
import type { OnceStore } from "./once-store.ts";
import type { AppendsOnce, PlacedRecord, ProduceRequest, ProduceSpool } from "./produce.ts";

/** `spool`: takes the events of some requests while their homes can't be reached. */
export const createAppendsOnce =
  (store: OnceStore, spool: ProduceSpool | undefined): AppendsOnce =>
  (request) => {
    const { station, callId, order } = request;
    const sourced = station.once === undefined ? sourcedByCall(callId) : sourcedByStation(station);
    if (sourced === undefined) return undefined;
    const { topic } = station;
    return (records) => {
      const events = records.map(sourced);
      return spool?.takes(request) === true
        ? spool.append(topic, events, order)
        : store.append(topic, events, order);
    };
  };

type Sourced = (placed: PlacedRecord) => SourcedRecord;

/** The event's id is no part of the record. Lists the members: a rest pattern takes ten times as long. */
const sourcedByStation = ({ name, once }: ProduceRequest["station"]): Sourced | undefined =>
  once &&
  (({ record: { eventId: id = "", key, value, headers, timestamp, partition } }) => {
    const { windowMs: window, strict } = once;
    const record = { key, value, headers, timestamp };
    return {
      record: partition === undefined ? record : { ...record, partition },
      source: { kind: "event", station: name, id, window, strict },
    };
  });

const sourcedByCall = (callId: ProduceRequest["callId"]): Sourced | undefined => {
  if (callId === undefined) return undefined;
  const { scope, windowMs: window, strict } = callId;
  const payload = callId.payload?.toString("base64");
  return ({ record, place }) => ({ record, source: { kind: "call", scope, place, window, strict, payload } });
};
