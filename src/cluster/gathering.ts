/** The supervisor asks all workers the same question and collects their answers, for a bounded time. */
import type { Gathered } from "../app/questions.ts";

export interface Gathering {
  /**
   * Asks each worker by `ask`. Resolves when all have answered or ended, at the latest after the timeout, without the
   * answers of those that did neither. A worker that left a question unanswered is not asked again before it has
   * answered it: its channel doesn't fill with questions, and nobody waits for it a second time.
   */
  gather(workers: readonly number[], ask: (worker: number, id: number) => void): Promise<Gathered<unknown>>;
  /** `undefined`: the worker has no answer. */
  answered(worker: number, id: number, answer: unknown): void;
  ended(worker: number): void;
}

interface Open {
  readonly waitingFor: Set<number>;
  readonly answers: unknown[];
  readonly done: () => void;
}

export const createGathering = (timeoutMs: number): Gathering => {
  const late = new Set<number>();
  const questions = new Map<number, Open>();
  let ids = 0;

  const settle = (question: Open | undefined, worker: number, answer: unknown): void => {
    if (question?.waitingFor.delete(worker) !== true) return;
    if (answer !== undefined) question.answers.push(answer);
    if (question.waitingFor.size === 0) question.done();
  };

  /** Resolves when no worker is waited for any more. */
  const open = (id: number, workers: readonly number[]): Promise<Open> =>
    new Promise((resolve) => {
      const close = (): void => {
        clearTimeout(timer);
        questions.delete(id);
        for (const worker of question.waitingFor) late.add(worker);
        resolve(question);
      };
      const timer = setTimeout(close, timeoutMs);
      const question: Open = { waitingFor: new Set(workers), answers: [], done: close };
      questions.set(id, question);
      if (workers.length === 0) close();
    });

  return {
    gather: async (workers, ask) => {
      const id = ++ids;
      const asked = workers.filter((worker) => !late.has(worker));
      const answered = open(id, asked);
      for (const worker of asked) ask(worker, id);
      const { answers } = await answered;
      return { answers, missing: workers.length - answers.length };
    },
    answered: (worker, id, answer) => {
      late.delete(worker);
      settle(questions.get(id), worker, answer);
    },
    ended: (worker) => {
      late.delete(worker);
      for (const question of questions.values()) settle(question, worker, undefined);
    },
  };
};
