/**
 * The batcher as the spool uses it: records that carry an id go to the home of their id, others to the batcher. A home that can't
 * be reached is an outage like that of Kafka.
 */
import type { AppendOutcome, BrokerRecord } from "../broker/broker.ts";
import { GatewayError } from "../errors.ts";
import { isRefusalOfEvent } from "../spool/refused.ts";
import type { Batcher, WatchedCall } from "./batcher/batcher.ts";
import { IN_FLIGHT } from "./batcher/pending.ts";
import { carriedIn, carrying, hasId, hasNoId, type SourcedRecord, type SpoolableEvent } from "./event-ids.ts";
import type { OnceStore } from "./once-store.ts";

type PlainBatcher = Pick<Batcher, "appendInOrder" | "watch" | "withdraw">;

export interface SpoolBatcher extends Pick<Batcher, "withdraw"> {
  /** As `Batcher.appendInOrder`: a record with an id goes to its home. */
  append: Batcher["appendInOrder"];
  /** As `Batcher.watch`. The events of a call have ids, or none of them has one. */
  watch(topic: string, events: readonly SpoolableEvent[], call: WatchedCall): void;
  /** The record of an event on the disk: `append` takes it. */
  toRecord(event: SpoolableEvent): BrokerRecord;
}

interface OpenCall extends Pick<WatchedCall, "ended" | "late"> {
  readonly size: number;
}

export const createOnceBatcher = (batcher: PlainBatcher, store: OnceStore): SpoolBatcher => {
  /** The calls with ids that have no outcome, by topic. */
  const open = new Map<string, Set<OpenCall>>();

  const watchIds = (topic: string, events: readonly SourcedRecord[], call: WatchedCall): void => {
    const one: OpenCall = { ended: call.ended, late: call.late, size: events.length };
    const calls = open.get(topic) ?? new Set();
    open.set(topic, calls.add(one));
    void store.append(topic, events, call.order).then((outcomes) => {
      if (!calls.delete(one)) call.late(0, outcomes);
      else {
        if (calls.size === 0 && open.get(topic) === calls) open.delete(topic);
        call.ended(outcomes);
      }
    });
  };

  return {
    watch: (topic, events, call) => {
      if (events.every(hasNoId)) batcher.watch(topic, events, call);
      else watchIds(topic, events.filter(hasId), call);
    },
    toRecord: (event) => (hasId(event) ? carrying(event) : event),
    withdraw: (topic) => {
      batcher.withdraw(topic);
      const calls = [...(open.get(topic) ?? [])];
      open.get(topic)?.clear();
      open.delete(topic);
      for (const { ended, size } of calls) ended(new Array<AppendOutcome>(size).fill(IN_FLIGHT));
    },
    append: async (topic, records) => {
      const outcomes = new Array<AppendOutcome>(records.length).fill(NOT_SENT);
      for (const step of stepsOf(records)) {
        const stored =
          "records" in step
            ? await batcher.appendInOrder(topic, step.records)
            : await appendEvents(store, topic, step.events);
        stored.forEach((outcome, i) => {
          outcomes[step.places[i] ?? 0] = outcome;
        });
        // Later events of a key must not overtake these.
        if (stored.some(isWithoutOutcome)) break;
      }
      return outcomes;
    },
  };
};

const NOT_SENT: AppendOutcome = { status: "failed", error: new GatewayError("BROKER_UNAVAILABLE") };

/** A refused topic may be created at any time. Then later events must not be stored before the refused ones. */
const isWithoutOutcome = (outcome: AppendOutcome): boolean =>
  outcome.status === "failed" && !isRefusalOfEvent(outcome.error);

/** Records that are appended together, with their places among all records. */
type Step = { readonly places: number[] } & (
  { readonly records: BrokerRecord[] } | { readonly events: SourcedRecord[] }
);

/**
 * The records in the order in which they are appended. Records without ids stay between their neighbours. Events of a key that
 * have different homes are appended one after the other, because homes do not wait for each other.
 */
const stepsOf = (records: readonly BrokerRecord[]): readonly Step[] => {
  const steps: Step[] = [];
  /** The step of the newest event of each key, and the event's home. */
  let newest = new Map<string, { readonly step: number; readonly home: string }>();
  /** The first step for events with ids: the one behind the newest records without ids. */
  let first = 0;
  records.forEach((record, place) => {
    const event = carriedIn(record);
    if (event === undefined) {
      const last = steps.at(-1);
      if (last !== undefined && "records" in last) {
        last.records.push(record);
        last.places.push(place);
      } else steps.push({ records: [record], places: [place] });
      first = steps.length;
      newest = new Map();
      return;
    }
    const key = record.key?.toString("latin1");
    const before = key === undefined ? undefined : newest.get(key);
    const home = homeOf(event);
    const at = before === undefined ? first : before.home === home ? before.step : before.step + 1;
    if (key !== undefined) newest.set(key, { step: at, home });
    const step = steps[at];
    if (step !== undefined && "events" in step) {
      step.events.push(event);
      step.places.push(place);
    } else steps.push({ events: [event], places: [place] });
  });
  return steps;
};

/** Equal for events of a key that have the same home for sure. */
const homeOf = ({ source }: SourcedRecord): string =>
  source.kind === "event" ? source.station : JSON.stringify(source.scope);

/** Maximum number of appends of a step at the same time. */
const MAX_APPENDS = 64;

const appendEvents = async (
  store: OnceStore,
  topic: string,
  events: readonly SourcedRecord[],
): Promise<readonly AppendOutcome[]> => {
  const outcomes = new Array<AppendOutcome>(events.length).fill(NOT_SENT);
  const byGroup = new Map<string, number[]>();
  events.forEach((event, i) => {
    const group = groupOf(event);
    const places = byGroup.get(group);
    if (places === undefined) byGroup.set(group, [i]);
    else places.push(i);
  });
  const groups = [...byGroup.values()];
  for (let from = 0; from < groups.length; from += MAX_APPENDS) {
    const some = await Promise.all(
      groups.slice(from, from + MAX_APPENDS).map(async (places) => {
        const own = places.map((i) => events[i]).filter((event) => event !== undefined);
        const stored = await store.append(topic, own, undefined);
        stored.forEach((outcome, n) => {
          outcomes[places[n] ?? 0] = outcome;
        });
        return stored;
      }),
    );
    if (some.flat().some(isWithoutOutcome)) break;
  }
  return outcomes;
};

/** Equal for events of one append. A home judges a call with a payload as a whole: if its key is reused, it refuses all events. */
const groupOf = ({ source }: SourcedRecord): string =>
  source.kind === "call" && source.payload !== undefined
    ? JSON.stringify([source.scope, source.payload, source.strict])
    : String(source.strict);
