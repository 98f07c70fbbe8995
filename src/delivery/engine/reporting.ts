/** Writes the reports of ended deliveries. */
import type { BrokerRecord } from "../../broker/broker.ts";
import { isBatch, positionOf, type Unit } from "./batches/batch.ts";
import type { Item } from "./claims.ts";
import { type DropEnd, letterFormOf } from "./dead-letters.ts";
import type { DeliveryEnd } from "./delivery-plan.ts";
import { type StoringOptions, storeUntilDone } from "./storing.ts";

/** Not all reports are stored. */
export type Unreported = Exclude<DropEnd, { readonly action: "dropped" }>;

/** `stored`: all reports are stored, or the plan has no reports of this end. */
type ReportEnd = { readonly action: "stored" } | Unreported;

/** Stores a report of each record of the unit. */
export type Report = (unit: Unit, abandoned: () => boolean) => Promise<ReportEnd>;

/** undefined: the plan has no reports. */
export const createReporting = (options: StoringOptions): Report | undefined => {
  const { plan, clock } = options;
  const { reports } = plan;
  if (reports === undefined) return undefined;
  const form = letterFormOf(plan);

  return async (unit, abandoned) => {
    const end: DeliveryEnd = unit.end ?? { isDelivered: false, error: unit.lastError };
    const topic = reports.topicOf(end);
    if (topic === undefined) return { action: "stored" };
    const items = isBatch(unit) ? unit.members.map(({ item }) => item) : [unit];
    const now = clock.now();
    const made = (): readonly BrokerRecord[] =>
      items.map(({ record }) => reports.reportOf(form.originalOf(record, plan.name) ?? record, end, now));
    const stored = await storeUntilDone(options, topic, made, abandoned);
    if (stored.action !== "refused") return stored;
    const trace = `Delivery stopped at ${positionOf(unit)}: its report can't be stored in topic ${topic.name}: ${stored.why}`;
    return { action: "stop", trace };
  };
};

type Drop = (item: Item, abandoned: () => boolean) => Promise<DropEnd>;

/** Reports a record whose request can't be made before it is dropped. The courier reports the other records. */
export const reportingDrop =
  (drop: Drop, report: Report | undefined): Drop =>
  async (item, abandoned) => {
    const isUnsent = item.attempts === 0 && item.stage === "TASK_PUT";
    const end = isUnsent ? await report?.(item, abandoned) : undefined;
    return end === undefined || end.action === "stored" ? drop(item, abandoned) : end;
  };
