/**
 * `npm run soak`: mixed traffic for minutes with faults. Fails if an acknowledged event is missing or a bound is
 * exceeded.
 */
import { parseArgs } from "node:util";
import { soak, type BrokerKind } from "./run.ts";
import { isBroken, rowsOf, table } from "./verdict.ts";

const { values } = parseArgs({
  options: {
    /** Minutes of traffic, for all brokers together. */
    minutes: { type: "string", default: "10" },
    broker: { type: "string", default: "embedded,kafka" },
    /**
     * Bounds: MiB of growth; milliseconds of the slowest answer of `/healthz`, less than the freeze of Kafka, on which it
     * must not depend; and milliseconds of CPU during one answer.
     */
    growth: { type: "string", default: "150" },
    health: { type: "string", default: "5000" },
    busy: { type: "string", default: "1000" },
  },
});

const BROKERS: Readonly<Record<string, BrokerKind>> = { embedded: "embedded", kafka: "kafka" };

const positive = (name: string, given: string): number => {
  const value = Number(given);
  if (Number.isFinite(value) && value > 0) return value;
  throw new RangeError(`--${name} takes a number above 0, not ${given}`);
};

const kinds = values.broker.split(",").map((name) => {
  const kind = BROKERS[name];
  if (kind === undefined) throw new RangeError(`--broker takes embedded, kafka or both, not ${name}`);
  return kind;
});
const bounds = {
  rssGrowth: positive("growth", values.growth),
  health: positive("health", values.health),
  busy: positive("busy", values.busy),
};
const ms = (positive("minutes", values.minutes) * 60_000) / kinds.length;

for (const kind of kinds) {
  const outcome = await soak(kind, ms);
  const rows = rowsOf(outcome, bounds);
  const statuses = [...outcome.statuses].toSorted(([a], [b]) => a - b);
  const answers = statuses.map(([status, count]) => `${status === 0 ? "no answer" : status}: ${count}`);
  process.stdout.write(`${table(outcome.broker, rows)}\nanswers: ${answers.join(", ")}\n\n`);
  if (rows.some(isBroken)) process.exitCode = 1;
}
