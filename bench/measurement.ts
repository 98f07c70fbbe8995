/** What one run of one subject gave, and how several runs become one figure. */

/** Figures of one run. Rates are a second's, latencies milliseconds. */
export interface Figures {
  readonly eventsPerSecond?: number;
  readonly p50?: number;
  readonly p99?: number;
  /** Microseconds of CPU of the gateway's processes, all together. */
  readonly cpuPerEvent?: number;
  /** MiB of the largest process that serves. */
  readonly rssPerWorker?: number;
}

export type Figure = keyof Figures;

export interface Measurement extends Figures {
  /** Why this run counts for nothing; empty: it counts. */
  readonly faults: readonly string[];
}

/** One thing that is measured, once a round. */
export interface Subject {
  readonly name: string;
  measure(seconds: number): Promise<Measurement>;
}

const median = (values: readonly number[]): number | undefined => {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)];
  const lower = sorted[Math.ceil(middle) - 1];
  return upper === undefined || lower === undefined ? undefined : (upper + lower) / 2;
};

export const medianOf = (runs: readonly Measurement[], figure: Figure): number | undefined =>
  median(runs.map((run) => run[figure]).filter((value) => value !== undefined));

/** Median of the rounds' own ratios: what slows the machine down for a while slows both sides of a round. */
export const medianRatio = (
  runs: readonly Measurement[],
  references: readonly Measurement[],
  figure: Figure,
): number | undefined => {
  const ratios: number[] = [];
  runs.forEach((run, round) => {
    const value = run[figure];
    const reference = references[round]?.[figure];
    if (value !== undefined && reference !== undefined) ratios.push(value / reference);
  });
  return median(ratios);
};
