/**
 * What the ids of events are made of. An event that may go to the spool carries it in a header of its record, because the id
 * itself depends on the topic and on the number of slots at the time when the event is drained.
 */
import type { BrokerRecord } from "../broker/broker.ts";
import { createCallIds, createStationIds } from "../once/event-id.ts";
import type { EventId } from "../once/home-calls.ts";

/** The id of a call. An event's id is the id of its call and its place in the call. */
export interface CallId {
  /** Two calls with the same scope are the same call. */
  readonly scope: readonly string[];
  /** Milliseconds in which a repeated call stores nothing. */
  readonly windowMs: number;
  /** sha256 of the payload: a repeat with another payload is refused. undefined: the payload is part of the scope. */
  readonly payload?: Buffer;
  /** False: the events are stored without the check if their ids can't be checked in time. */
  readonly strict: boolean;
}

/** `window`: milliseconds. `payload`: in base64. */
export type IdSource = { readonly window: number; readonly strict: boolean } & (
  | { readonly kind: "event"; readonly station: string; readonly id: string }
  | {
      readonly kind: "call";
      readonly scope: readonly string[];
      readonly place: number;
      readonly payload?: string | undefined;
    }
);

export interface SourcedRecord {
  readonly record: BrokerRecord;
  readonly source: IdSource;
}

/** An event that may go to the spool. Its id is encoded only if it goes there. */
export type SpoolableEvent = BrokerRecord | SourcedRecord;

export const hasId = (event: SpoolableEvent): event is SourcedRecord => "source" in event;

export const hasNoId = (event: SpoolableEvent): event is BrokerRecord => !hasId(event);

/** Clients can't send it, because its name begins with `x-stationgate-`. It is never stored in Kafka. */
const CARRIER = "x-stationgate-once-id";

export const carrying = ({ record, source }: SourcedRecord): BrokerRecord => ({
  ...record,
  headers: [...record.headers, { name: CARRIER, value: Buffer.from(JSON.stringify(source)) }],
});

/** The record without the header; undefined: the record has no id. */
export const carriedIn = (record: BrokerRecord): SourcedRecord | undefined => {
  const last = record.headers.at(-1);
  if (last?.name !== CARRIER || last.value === null) return undefined;
  const source = JSON.parse(last.value.toString()) as IdSource;
  return { record: { ...record, headers: record.headers.slice(0, -1) }, source };
};

type StationIdOf = ReturnType<typeof createStationIds>;
type CallSource = Extract<IdSource, { readonly kind: "call" }>;

/** Computes the ids of events. `topicId`: of the station's topic; calls don't need it. */
export const createIdOf = ({
  topicId,
  slots,
}: {
  readonly topicId: string;
  readonly slots: number;
}): ((event: SourcedRecord) => EventId) => {
  /** All events of a call have the same scope and payload, so their slot is computed once. */
  let last: { readonly of: CallSource; readonly idAt: (place: number) => EventId } | undefined;

  const ofCall = (of: CallSource): EventId => {
    if (last?.of.scope !== of.scope || last.of.payload !== of.payload) {
      const { scope, window } = of;
      const payload = of.payload === undefined ? undefined : Buffer.from(of.payload, "base64");
      last = { of, idAt: createCallIds({ scope, window, slots, payload }) };
    }
    return last.idAt(of.place);
  };

  /** A call has events of one station. */
  let ofStation:
    { readonly station: string; readonly window: number; readonly idOf: StationIdOf } | undefined;

  return ({ record: { key }, source }) => {
    if (source.kind === "call") return ofCall(source);
    const { station, id, window } = source;
    if (ofStation?.station !== station || ofStation.window !== window)
      ofStation = { station, window, idOf: createStationIds({ station, topicId, window, slots }) };
    return ofStation.idOf(id, key);
  };
};
