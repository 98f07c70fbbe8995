/** What a process can be asked about itself, so that one of several can answer for all of them. */
import type { FailedAttempt } from "../delivery/engine/observer.ts";
import type { Level } from "../observability/logger/levels.ts";
import type { MetricSamples } from "../observability/metrics.ts";

/** One process's answer to each question. A question is about a connector, or about nothing (""), or says what is to change. */
export interface Answers {
  readonly metrics: MetricSamples;
  /** The connector's newest failed attempts, newest first. */
  readonly failures: readonly FailedAttempt[];
  /** A replay of the connector's dead letters is running. */
  readonly replaying: boolean;
  /** A logger has another level from now on: `about` is a `LevelChange` as JSON. true: it is so. */
  readonly logLevel: boolean;
}

export interface LevelChange {
  readonly logger: string;
  readonly level: Level;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export type Question = keyof Answers;

/** The answers of all processes that serve together. */
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
  /** From now on these questions are answered. */
  answerWith(answerers: Partial<Answerers>): void;
  /** This process's own answer. undefined: nothing here knows it. */
  answer(name: Question, about: string): Promise<Answers[Question] | undefined>;
  readonly askAll: AskAll;
}

/** Without `askAll` this process serves alone, and asks nobody but itself. */
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
