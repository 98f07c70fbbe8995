/** The outcomes of events, in the order of the events of their call. */
import type { StoredRecord } from "../broker/broker.ts";
import { type FailureOutcome, GatewayError } from "../errors.ts";
import type { SpooledOutcome } from "../spool/topic-calls.ts";
import type { WrittenSchemas } from "./schema/record-schemas.ts";
import type { Station } from "./stations.ts";

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

/** `stored`: the outcomes of the events that were not refused. `refused`: by the index of the event. */
export const merged = (
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

/** Called with the number of events of each outcome. */
export type EventsEnded = (
  station: string,
  outcome: "stored" | "spooled" | FailureOutcome,
  count: number,
) => void;

const ENDINGS = ["stored", "spooled", "refused", "unavailable", "unknown"] as const;

/** A duplicate was counted as stored when its first event came. */
const isDuplicate = (outcome: EventOutcome): boolean =>
  outcome.status === "stored" && outcome.duplicate === true;

export const countOutcomes = (
  { name }: Pick<Station, "name">,
  outcomes: readonly EventOutcome[],
  eventsEnded: EventsEnded | undefined,
): void => {
  const counts = { stored: 0, spooled: 0, refused: 0, unavailable: 0, unknown: 0 };
  for (const outcome of outcomes)
    if (!isDuplicate(outcome)) counts[outcome.status === "failed" ? outcome.error.outcome : outcome.status]++;
  for (const ending of ENDINGS) if (counts[ending] > 0) eventsEnded?.(name, ending, counts[ending]);
};
