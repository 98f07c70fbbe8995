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
      const outcomes: AppendOutcome[] = [];
      for (const run of runsOf(records)) {
        const stored =
          "records" in run
            ? await batcher.append(topic, run.records, order)
            : await store.append(topic, run.events, order);
        outcomes.push(...stored);
        // Later events of a key must not overtake these.
        if (stored.some(isWithoutOutcome)) break;
      }
      const error = new GatewayError("BROKER_UNAVAILABLE");
      return records.map((_, i) => outcomes[i] ?? { status: "failed", error });
    },
  };
};

const isWithoutOutcome = (outcome: AppendOutcome): boolean =>
  outcome.status === "failed" && outcome.error.outcome !== "refused";

type Run = { readonly records: BrokerRecord[] } | { readonly events: SourcedRecord[] };

/** Neighbours with ids, and neighbours without. */
const runsOf = (records: readonly BrokerRecord[]): readonly Run[] => {
  const runs: Run[] = [];
  for (const record of records) {
    const event = carriedIn(record);
    const last = runs.at(-1);
    if (event === undefined) {
      if (last !== undefined && "records" in last) last.records.push(record);
      else runs.push({ records: [record] });
    } else if (last !== undefined && "events" in last) last.events.push(event);
    else runs.push({ events: [event] });
  }
  return runs;
};
