/** Computes the ratios and figures of each row from the runs of all subjects. */
import { medianOf, medianRatio, type Figure, type Figures, type Measurement } from "./measurement.ts";
import type { Goal, Row } from "./rows.ts";

export interface Verdict {
  readonly figure: Figure;
  /** Absent: an absolute figure. */
  readonly to?: string;
  readonly value: number | undefined;
  readonly atLeast?: number;
  readonly atMost?: number;
  /** undefined: there is no goal, or no value. */
  readonly met: boolean | undefined;
}

export interface RowResult {
  readonly name: string;
  /** The reasons why the row is void; empty: it is valid. */
  readonly void: readonly string[];
  readonly ratios: readonly Verdict[];
  readonly goals: readonly Verdict[];
}

export type Runs = ReadonlyMap<string, readonly Measurement[]>;

const FIGURES: readonly Figure[] = [
  "eventsPerSecond",
  "p50",
  "p99",
  "cpuPerEvent",
  "proxyCpuPerEvent",
  "kafkaCpuPerEvent",
  "rssPerWorker",
  "memoryPerStream",
  "memoryPerRead",
  "kafkaSockets",
];

export const mediansOf = (runs: readonly Measurement[]): Figures =>
  Object.fromEntries(FIGURES.map((figure) => [figure, medianOf(runs, figure)]));

const isMet = (value: number | undefined, { atLeast, atMost }: Goal): boolean | undefined => {
  if (value === undefined || (atLeast === undefined && atMost === undefined)) return undefined;
  return value >= (atLeast ?? value) && value <= (atMost ?? value);
};

export const resultOf = ({ name, ratios, goals }: Row, runs: Runs): RowResult => {
  const own = runs.get(name) ?? [];
  const involved = [...new Set([name, ...ratios.map(({ to }) => to)])];
  return {
    name,
    void: involved.flatMap((subject) =>
      (runs.get(subject) ?? []).flatMap(({ faults }, round) =>
        faults.map((fault) => `${subject}, round ${round + 1}: ${fault}`),
      ),
    ),
    ratios: ratios.map((ratio) => {
      const value = medianRatio(own, runs.get(ratio.to) ?? [], ratio.figure);
      return { ...ratio, value, met: isMet(value, ratio) };
    }),
    goals: goals.map((goal) => {
      const value = medianOf(own, goal.figure);
      return { ...goal, value, met: isMet(value, goal) };
    }),
  };
};
