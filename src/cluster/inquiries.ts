/** The supervisor's part in answers about all workers: a worker asks, all of them answer, the same worker is told. */
import type { Question } from "../app/questions.ts";
import type { MetricSamples } from "../observability/summed-metrics.ts";
import { createGathering, type Gathering } from "./gathering.ts";
import { createKeptMetrics } from "./kept-metrics.ts";
import type { ToSupervisor, ToWorker } from "./messages.ts";

export interface Inquiries {
  onMessage(worker: number, message: ToSupervisor): void;
  onEnd(worker: number): void;
}

/** A worker that doesn't answer in this time, in milliseconds, is left out. */
const TIMEOUTS: Readonly<Record<Question, number>> = { metrics: 2000, failures: 1000, replaying: 1000 };

export const createInquiries = (tell: (worker: number, message: ToWorker) => void): Inquiries => {
  const gatherings: Readonly<Record<Question, Gathering>> = {
    metrics: createGathering(TIMEOUTS.metrics),
    failures: createGathering(TIMEOUTS.failures),
    replaying: createGathering(TIMEOUTS.replaying),
  };
  const metrics = createKeptMetrics();
  const ready = new Set<number>();

  const ask = async (asking: number, { id, name, about }: Message<"ask-all">): Promise<void> => {
    const gathered = await gatherings[name].gather([...ready], (worker, question) => {
      tell(worker, { type: "ask", id: question, name, about });
    });
    const answers = name === "metrics" ? metrics.all : gathered.answers;
    tell(asking, { type: "answers", id, gathered: { ...gathered, answers } });
  };

  return {
    onMessage: (worker, message) => {
      if (message.type === "ready") ready.add(worker);
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
