/** The last metrics of each worker, and what the dead ones had counted. */
import { countsOf, type MetricSamples } from "../observability/summed-metrics.ts";

export interface KeptMetrics {
  answered(worker: number, samples: MetricSamples): void;
  /** Keeps the counts of the worker's last answer: what it counted after it is lost with it. */
  ended(worker: number): void;
  /** A worker that did not answer in time is there with its last answer. */
  readonly all: readonly MetricSamples[];
}

export const createKeptMetrics = (): KeptMetrics => {
  const latest = new Map<number, MetricSamples>();
  let past: MetricSamples = [];
  let kept = Promise.resolve();
  return {
    get all() {
      return [...latest.values(), past];
    },
    answered: (worker, samples) => {
      latest.set(worker, samples);
    },
    ended: (worker) => {
      const last = latest.get(worker);
      if (last === undefined) return;
      kept = kept.then(async () => {
        past = await countsOf([past, last]);
        latest.delete(worker);
      });
    },
  };
};
