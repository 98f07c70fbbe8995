/** The supervisor's part in `/metrics`: it asks all workers, and keeps what the dead ones had counted. */
import { countsOf, type MetricSamples } from "../observability/summed-metrics.ts";

export interface Gathering {
  /**
   * Asks each worker by `ask`, and resolves with the answers and the counts of those that have ended. Who doesn't
   * answer in time stands there with its last answer.
   */
  gather(
    workers: readonly number[],
    ask: (worker: number, id: number) => void,
  ): Promise<readonly MetricSamples[]>;
  answered(worker: number, id: number, samples: MetricSamples): void;
  /** Keeps the counts of the worker's last answer: what it counted after it is lost with it. */
  ended(worker: number): void;
}

interface Question {
  readonly missing: Set<number>;
  readonly done: () => void;
}

export const createGathering = (timeoutMs: number): Gathering => {
  const latest = new Map<number, MetricSamples>();
  const questions = new Map<number, Question>();
  let past: MetricSamples = [];
  let kept = Promise.resolve();
  let ids = 0;

  const without = (question: Question | undefined, worker: number): void => {
    question?.missing.delete(worker);
    if (question?.missing.size === 0) question.done();
  };

  const everyone = (id: number, workers: readonly number[]): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      questions.set(id, { missing: new Set(workers), done });
    });

  return {
    gather: async (workers, ask) => {
      const id = ++ids;
      const answers = everyone(id, workers);
      for (const worker of workers) ask(worker, id);
      await answers;
      questions.delete(id);
      return [...latest.values(), past];
    },
    answered: (worker, id, samples) => {
      latest.set(worker, samples);
      without(questions.get(id), worker);
    },
    ended: (worker) => {
      for (const question of questions.values()) without(question, worker);
      const last = latest.get(worker);
      if (last === undefined) return;
      kept = kept.then(async () => {
        past = await countsOf([past, last]);
        latest.delete(worker);
      });
    },
  };
};
