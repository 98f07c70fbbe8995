/** The supervisor's part in answers about all workers: a worker asks, all of them answer, the same worker is told. */
import type { Gathered, LevelChange, Question } from "../app/questions.ts";
import { countsOf, type MetricSamples } from "../observability/metrics.ts";
import type { ToSupervisor, ToWorker } from "./messages.ts";

export interface Inquiries {
  onMessage(worker: number, message: ToSupervisor): void;
  onEnd(worker: number): void;
}

/** A worker that doesn't answer in this time, in milliseconds, is left out. */
const TIMEOUTS: Readonly<Record<Question, number>> = {
  metrics: 2000,
  failures: 1000,
  replaying: 1000,
  logLevel: 1000,
};

/** Nobody waits for the answer. */
const NO_QUESTION = 0;

export const createInquiries = (tell: (worker: number, message: ToWorker) => void): Inquiries => {
  const gatherings: Readonly<Record<Question, Gathering>> = {
    metrics: createGathering(TIMEOUTS.metrics),
    failures: createGathering(TIMEOUTS.failures),
    replaying: createGathering(TIMEOUTS.replaying),
    logLevel: createGathering(TIMEOUTS.logLevel),
  };
  const metrics = createKeptMetrics();
  const ready = new Set<number>();
  /** By logger, for workers that take over from dead ones; the workers see to it that there are not too many. */
  const levels = new Map<string, string>();

  const begin = (worker: number): void => {
    ready.add(worker);
    for (const about of levels.values())
      tell(worker, { type: "ask", id: NO_QUESTION, name: "logLevel", about });
  };

  const ask = async (asking: number, { id, name, about }: Message<"ask-all">): Promise<void> => {
    if (name === "logLevel") levels.set((JSON.parse(about) as LevelChange).logger, about);
    const gathered = await gatherings[name].gather([...ready], (worker, question) => {
      tell(worker, { type: "ask", id: question, name, about });
    });
    const answers = name === "metrics" ? metrics.all : gathered.answers;
    tell(asking, { type: "answers", id, gathered: { ...gathered, answers } });
  };

  return {
    onMessage: (worker, message) => {
      if (message.type === "ready") begin(worker);
      if (message.type === "ask-all") void ask(worker, message);
      if (message.type !== "answer") return;
      const { id, name, answer } = message;
      // Also those that come too late for this question.
      if (name === "metrics" && answer !== undefined) metrics.answered(worker, answer as MetricSamples);
      gatherings[name].answered(worker, id, answer);
    },
    onEnd: (worker) => {
      ready.delete(worker);
      for (const gathering of Object.values(gatherings)) gathering.ended(worker);
      metrics.ended(worker);
    },
  };
};

type Message<Type extends ToSupervisor["type"]> = Extract<ToSupervisor, { readonly type: Type }>;

/** The last metrics of each worker, and what the dead ones had counted. */

interface KeptMetrics {
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

/** The supervisor asks all workers the same question and collects their answers, for a bounded time. */

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
