/**
 * The batcher as the spool uses it: records that carry an id go to the home of their id, others to the batcher. A home that can't
 * be reached is an outage like that of Kafka.
 */
import type { AppendOutcome, BrokerRecord } from "../broker/broker.ts";
import { GatewayError } from "../errors.ts";
import type { Batcher, WatchedCall } from "./batcher/batcher.ts";
import { IN_FLIGHT } from "./batcher/pending.ts";
import { carriedIn, type SourcedRecord } from "./event-ids.ts";
import type { OnceStore } from "./once-store.ts";

export type SpoolBatcher = Pick<Batcher, "append" | "watch" | "withdraw">;

interface OpenCall extends Pick<WatchedCall, "ended" | "late"> {
  readonly size: number;
}

export const createOnceBatcher = (batcher: SpoolBatcher, store: OnceStore): SpoolBatcher => {
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
    watch: (topic, records, call) => {
      const events = records.map(carriedIn).filter((event) => event !== undefined);
      // The events of a call have ids, or none of them has one.
      if (events.length === 0) batcher.watch(topic, records, call);
      else watchIds(topic, events, call);
    },
    withdraw: (topic) => {
      batcher.withdraw(topic);
      const calls = [...(open.get(topic) ?? [])];
      open.get(topic)?.clear();
      open.delete(topic);
      for (const { ended, size } of calls) ended(new Array<AppendOutcome>(size).fill(IN_FLIGHT));
    },
    append: async (topic, records, order) => {
      const outcomes = new Array<AppendOutcome>(records.length).fill(NOT_SENT);
      for (const step of stepsOf(records)) {
        const stored =
          "records" in step
            ? await batcher.append(topic, step.records, order)
            : await store.append(topic, step.events, order);
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

const isWithoutOutcome = (outcome: AppendOutcome): boolean =>
  outcome.status === "failed" && outcome.error.outcome !== "refused";

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
