/** The result of a soak: a table of figures with their bounds. */
import type { Sightings } from "./watch.ts";

export interface Outcome extends Sightings {
  readonly broker: string;
  readonly acknowledged: ReadonlySet<string>;
  /** The ids in the log, with duplicates. */
  readonly stored: readonly string[];
  /** Ids that the connector's endpoint received. */
  readonly delivered: ReadonlySet<string>;
  /** The names of the clients. The ids of a client begin with its name. */
  readonly clients: readonly string[];
  readonly sent: number;
  readonly read: number;
  readonly badAccepted: number;
  readonly statuses: ReadonlyMap<number, number>;
}

export interface Bounds {
  /** MiB of growth from the start to the end. */
  readonly rssGrowth: number;
  /** Milliseconds. */
  readonly health: number;
  /** Milliseconds of CPU. */
  readonly busy: number;
}

export interface Row {
  readonly name: string;
  readonly value: number;
  /** Absent: the figure has no bound. */
  readonly atMost?: number;
}

/** The figures of a run in the order of the table. */
export const rowsOf = (outcome: Outcome, bounds: Bounds): readonly Row[] => {
  const { acknowledged, stored, delivered } = outcome;
  const found = new Set(stored);
  const missing = (of: ReadonlySet<string>): number => [...of].filter((id) => !found.has(id)).length;
  const seen = new Set<string>();
  const doubled = new Set(stored.filter((id) => seen.size === seen.add(id).size && acknowledged.has(id)));
  return [
    { name: "sent", value: outcome.sent },
    { name: "acknowledged", value: acknowledged.size },
    { name: "found", value: acknowledged.size - missing(acknowledged) },
    { name: "lost", value: missing(acknowledged), atMost: 0 },
    { name: "doubled", value: doubled.size },
    {
      name: "stored without acknowledgement",
      value: found.size - (acknowledged.size - missing(acknowledged)),
    },
    { name: "not delivered", value: [...found].filter((id) => !delivered.has(id)).length, atMost: 0 },
    {
      name: "APIs that stored nothing",
      value: outcome.clients.filter((name) => ![...acknowledged].some((id) => id.startsWith(`${name}-`)))
        .length,
      atMost: 0,
    },
    { name: "read", value: outcome.read },
    { name: "bad calls accepted", value: outcome.badAccepted, atMost: 0 },
    { name: "RSS at start, MiB", value: outcome.rssStart },
    { name: "RSS peak, MiB", value: outcome.rssPeak },
    { name: "RSS at end, MiB", value: outcome.rssEnd, atMost: outcome.rssStart + bounds.rssGrowth },
    { name: "slowest /healthz, ms", value: outcome.slowestHealth, atMost: bounds.health },
    { name: "CPU during a /healthz, ms", value: outcome.busiestHealth, atMost: bounds.busy },
  ];
};

export const isBroken = ({ value, atMost }: Row): boolean => atMost !== undefined && value > atMost;

/** The figures of a run as a Markdown table. */
export const table = (broker: string, rows: readonly Row[]): string =>
  [
    `| ${broker.padEnd(31)} | value      | at most    |        |`,
    `| ${"-".repeat(31)} | ---------: | ---------: | ------ |`,
    ...rows.map((row) => {
      const limit = row.atMost === undefined ? "" : String(Math.round(row.atMost));
      const verdict = isBroken(row) ? "BROKEN" : "";
      const cells = [row.name.padEnd(31), String(Math.round(row.value)).padStart(10), limit.padStart(10)];
      return `| ${[...cells, verdict.padEnd(6)].join(" | ")} |`;
    }),
  ].join("\n");
