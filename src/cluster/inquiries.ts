/** Questions about all workers: a worker asks the supervisor, which asks every worker and returns the answers. */
import type { Gathered, LevelChange, Question } from "../app/questions.ts";
import type { Handover } from "../auth/issuers/key-units.ts";
import { countsOf, type MetricSamples } from "../observability/metrics.ts";
import type { ToSupervisor, ToWorker } from "./messages.ts";

export interface Inquiries {
  onMessage(worker: number, message: ToSupervisor): void;
  onEnd(worker: number): void;
}

/** Milliseconds. The answer of a worker that is later is left out. */
const TIMEOUTS: Readonly<Record<Question, number>> = {
  metrics: 2000,
  failures: 1000,
  replaying: 1000,
  logLevel: 1000,
  issuerKeys: 1000,
};

/** The id of a question whose answer is not needed. */
const NO_QUESTION = 0;

/** `ownMetrics` are those of the supervisor. */
export const createInquiries = (
  tell: (worker: number, message: ToWorker) => void,
  ownMetrics: () => Promise<MetricSamples>,
): Inquiries => {
  const gatherings: Readonly<Record<Question, Gathering>> = {
    metrics: createGathering(TIMEOUTS.metrics),
    failures: createGathering(TIMEOUTS.failures),
    replaying: createGathering(TIMEOUTS.replaying),
    logLevel: createGathering(TIMEOUTS.logLevel),
    issuerKeys: createGathering(TIMEOUTS.issuerKeys),
  };
  const metrics = createKeptMetrics();
  const ready = new Set<number>();
  /** Log levels by logger, for workers that start later. The workers limit their number. */
  const levels = new Map<string, string>();
  /** The newest keys of each source, for workers that start while the issuer is unreachable. */
  const keys = new Map<string, string>();

  const begin = (worker: number): void => {
    ready.add(worker);
    const told = (name: Question, abouts: Iterable<string>): void => {
      for (const about of abouts) tell(worker, { type: "ask", id: NO_QUESTION, name, about });
    };
    told("logLevel", levels.values());
    told("issuerKeys", keys.values());
  };

  const keepKeys = (about: string): void => {
    const handover = JSON.parse(about) as Handover;
    const { source } = handover;
    const kept = keys.get(source);
    if (handover.keys === undefined) keys.delete(source);
    // A slow fetch of one worker can end after a later fetch of another worker.
    else if (kept === undefined || handover.keys.fetchedAt >= fetchedAtOf(kept)) keys.set(source, about);
  };

  const ask = async (asking: number, { id, name, about }: Message<"ask-all">): Promise<void> => {
    if (name === "logLevel") levels.set((JSON.parse(about) as LevelChange).logger, about);
    if (name === "issuerKeys") keepKeys(about);
    // Every worker fetches the keys itself.
    const asked = name === "issuerKeys" ? [] : [...ready];
    const gathered = await gatherings[name].gather(asked, (worker, question) => {
      tell(worker, { type: "ask", id: question, name, about });
    });
    const answers = name === "metrics" ? [...metrics.all, await ownMetrics()] : gathered.answers;
    tell(asking, { type: "answers", id, gathered: { ...gathered, answers } });
  };

  return {
    onMessage: (worker, message) => {
      if (message.type === "ready") begin(worker);
      if (message.type === "ask-all") void ask(worker, message);
      if (message.type !== "answer") return;
      const { id, name, answer } = message;
      // An answer that is too late for its question still updates the kept metrics.
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

const fetchedAtOf = (about: string): number => (JSON.parse(about) as Handover).keys?.fetchedAt ?? -Infinity;

type Message<Type extends ToSupervisor["type"]> = Extract<ToSupervisor, { readonly type: Type }>;

/** The last metrics of each worker, and the counts of the workers that have ended. */
interface KeptMetrics {
  answered(worker: number, samples: MetricSamples): void;
  /** Keeps the counts of the worker's last answer. Later counts are lost. */
  ended(worker: number): void;
  /** For a worker that did not answer in time, its last answer. */
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

/** Asks all workers one question and collects their answers, for a bounded time. */
export interface Gathering {
  /**
   * Calls `ask` for each worker. Resolves when every worker has answered or ended, or after the timeout with the
   * answers so far. A worker that has not answered a question is not asked again until it answers: so its channel does
   * not fill, and no later question waits for it.
   */
  gather(workers: readonly number[], ask: (worker: number, id: number) => void): Promise<Gathered<unknown>>;
  /** `answer` is undefined if the worker has none. */
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

  /** Resolves when every worker has answered or ended, or after the timeout. */
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
