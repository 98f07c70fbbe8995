/** The results as text. Ratios come first, because they depend least on the machine. */
import type { Figure, Figures } from "./measurement.ts";
import type { RowResult, Verdict } from "./results.ts";

const UNITS: Readonly<Record<Figure, string>> = {
  eventsPerSecond: "events/s",
  p50: "p50 ms",
  p99: "p99 ms",
  cpuPerEvent: "µs CPU/event",
  proxyCpuPerEvent: "µs nginx/event",
  kafkaCpuPerEvent: "µs Kafka/event",
  rssPerWorker: "MiB RSS/worker",
  memoryPerStream: "KiB/stream",
  memoryPerRead: "KiB/read",
  kafkaSockets: "sockets to Kafka",
};

const number = (value: number | undefined): string => {
  if (value === undefined) return "–";
  if (value >= 100) return Math.round(value).toLocaleString("en");
  return value.toFixed(2);
};

const table = (header: readonly string[], lines: readonly (readonly string[])[]): string => {
  const widths = header.map((cell, i) => Math.max(cell.length, ...lines.map((line) => line[i]?.length ?? 0)));
  const text = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  return [text(header), text(widths.map((width) => "-".repeat(width))), ...lines.map(text)].join("\n");
};

const goalOf = ({ atLeast, atMost }: Verdict): string => {
  if (atLeast !== undefined) return `≥ ${number(atLeast)}`;
  return atMost === undefined ? "" : `≤ ${number(atMost)}`;
};

const verdictLine = (row: RowResult, verdict: Verdict): readonly string[] => {
  const label = verdict.to === undefined ? UNITS[verdict.figure] : `${UNITS[verdict.figure]} : ${verdict.to}`;
  const met = verdict.met === undefined ? "" : verdict.met ? "yes" : "NO";
  return row.void.length > 0
    ? [row.name, label, "VOID", goalOf(verdict), ""]
    : [row.name, label, number(verdict.value), goalOf(verdict), met];
};

const verdicts = (
  rows: readonly RowResult[],
  pick: (row: RowResult) => readonly Verdict[],
  of: string,
): string =>
  table(
    ["row", of, "median", "goal", "met"],
    rows.flatMap((row) => pick(row).map((verdict) => verdictLine(row, verdict))),
  );

/** All results as Markdown. */
export const report = (
  rows: readonly RowResult[],
  subjects: Readonly<Record<string, { readonly median: Figures }>>,
): string => {
  const figures = table(
    ["subject", ...Object.values(UNITS)],
    Object.entries(subjects).map(([name, { median }]) => [
      name,
      ...Object.keys(UNITS).map((figure) => number(median[figure as Figure])),
    ]),
  );
  const faults = rows.flatMap((row) => row.void.map((fault) => `VOID ${row.name}: ${fault}`));
  const parts = [
    verdicts(rows, ({ ratios }) => ratios, "ratio"),
    verdicts(rows, ({ goals }) => goals, "figure"),
    figures,
    ...(faults.length > 0 ? [faults.join("\n")] : []),
  ];
  return parts.join("\n\n");
};
