/** The figures of one run of one subject, and their median over several runs. */

/** Figures of one run. Rates are per second, latencies in milliseconds. */
export interface Figures {
  readonly eventsPerSecond?: number;
  readonly p50?: number;
  readonly p99?: number;
  /** Microseconds of CPU time of all gateway processes together. */
  readonly cpuPerEvent?: number;
  /** Microseconds of CPU time of nginx in front of the gateways. */
  readonly proxyCpuPerEvent?: number;
  /** Microseconds of CPU time of Kafka. */
  readonly kafkaCpuPerEvent?: number;
  /** Resident MiB of the largest gateway process. */
  readonly rssPerWorker?: number;
  /** Resident KiB of all gateway processes for each open stream. */
  readonly memoryPerStream?: number;
  /** Resident KiB of the gateway for each waiting read. */
  readonly memoryPerRead?: number;
  /** Connections of the gateway to Kafka. */
  readonly kafkaSockets?: number;
}

export type Figure = keyof Figures;

export interface Measurement extends Figures {
  /** The reasons why the run is void; empty: it is valid. */
  readonly faults: readonly string[];
}

/** A program or route that is measured once per round. */
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

/** Median of the ratios of the rounds. A machine that is slow for a while slows down both sides of a round. */
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
