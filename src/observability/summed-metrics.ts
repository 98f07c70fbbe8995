/** The metrics of several processes as those of one. */
import { AggregatorRegistry, type Registry } from "prom-client";

/** All metrics of one process at one time: plain data, which can be sent to another process. */
export type MetricSamples = Awaited<ReturnType<Registry["getMetricsAsJSON"]>>;

/** Counters and histograms add up; gauges add up too, but for those that say otherwise (ages, versions). */
const summed = (all: readonly MetricSamples[]): Registry => AggregatorRegistry.aggregate([...all]);

/** In the text format of Prometheus. */
export const textOfSum = (all: readonly MetricSamples[]): Promise<string> => summed(all).metrics();

/**
 * What stays of processes that have ended: their counts, or else a sum would go down, which Prometheus takes for a
 * restart of everything.
 */
export const countsOf = (all: readonly MetricSamples[]): Promise<MetricSamples> =>
  summed(all.map((samples) => samples.filter(isCount))).getMetricsAsJSON();

/** prom-client's declarations name the types by an enum's numbers; what it sends are these words. */
const COUNTS = new Set(["counter", "histogram"]);

const isCount = ({ type }: MetricSamples[number]): boolean => COUNTS.has(String(type));
