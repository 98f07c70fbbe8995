/** Questions between worker processes: one process can answer a request for all processes. */
import type { FailedAttempt } from "../delivery/engine/observer.ts";
import type { Level } from "../observability/logger/levels.ts";
import type { MetricSamples } from "../observability/metrics.ts";

/** The answer of one process to each question. The parameter `about` is a connector's name, a change, or "". */
export interface Answers {
  readonly metrics: MetricSamples;
  /** The connector's newest failed attempts, newest first. */
  readonly failures: readonly FailedAttempt[];
  /** true: this process replays dead letters of the connector. */
  readonly replaying: boolean;
  /** Sets the level of a logger: `about` is a `LevelChange` as JSON. true: the level is set. */
  readonly logLevel: boolean;
  /**
   * Takes keys of an issuer that another process has fetched: `about` is a `Handover` as JSON. The supervisor asks only workers that
   * start later. true: the keys were offered to the entries.
   */
  readonly issuerKeys: boolean;
}

export interface LevelChange {
  readonly logger: string;
  readonly level: Level;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export type Question = keyof Answers;

/** The answers of all processes. */
export interface Gathered<T> {
  readonly answers: readonly T[];
  /** Number of processes that did not answer in time. */
  readonly missing: number;
}

/** Never rejects. */
export type AskAll = <Name extends Question>(name: Name, about: string) => Promise<Gathered<Answers[Name]>>;

type Answerers = {
  readonly [Name in Question]: (about: string) => Answers[Name] | Promise<Answers[Name]>;
};

export interface Questions {
  /** Registers functions that answer questions. */
  answerWith(answerers: Partial<Answerers>): void;
  /** The answer of this process. undefined: no function answers the question. */
  answer(name: Question, about: string): Promise<Answers[Question] | undefined>;
  readonly askAll: AskAll;
}

/** Without `askAll` there is only this process, and questions go to it. */
export const createQuestions = (askAll?: AskAll): Questions => {
  const known: { -readonly [Name in Question]?: Answerers[Name] } = {};
  const answer = async <Name extends Question>(
    name: Name,
    about: string,
  ): Promise<Answers[Name] | undefined> => known[name]?.(about);

  const askSelf: AskAll = async (name, about) => {
    const own = await answer(name, about);
    return own === undefined ? { answers: [], missing: 1 } : { answers: [own], missing: 0 };
  };

  return {
    answerWith: (answerers) => {
      Object.assign(known, answerers);
    },
    answer,
    askAll: askAll ?? askSelf,
  };
};
