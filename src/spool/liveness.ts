/** Notices workers that are frozen while a topic is spooled: the others would wait for their confirmations for ever. */
import type { Clock } from "../lib/clock.ts";
import type { WorkerId } from "./pod-topic.ts";

export interface LivenessOptions {
  readonly clock: Clock;
  readonly workers: () => readonly WorkerId[];
  /** Sends a question. The worker's answer is `onAnswer`. */
  readonly ask: (worker: WorkerId) => void;
  readonly kill: (worker: WorkerId) => void;
}

export interface Liveness {
  start(): void;
  stop(): void;
  onAnswer(worker: WorkerId): void;
  onEnd(worker: WorkerId): void;
}

const PERIOD_MS = 1000;
/**
 * Periods without an answer, after which a worker is killed. Periods are counted, not milliseconds: if this process was frozen
 * too, it counts one.
 */
const SILENT_PERIODS = 5;

/** No worker is killed while none answers: then the machine is slow. */
export const watchWorkers = ({ clock, workers, ask, kill }: LivenessOptions): Liveness => {
  /** Periods since the question that the worker has not answered. */
  const silent = new Map<WorkerId, number>();
  let cancel: (() => void) | undefined;

  const check = (): void => {
    cancel = clock.after(PERIOD_MS, check);
    const all = workers();
    const isAnyAlive = all.some((worker) => !silent.has(worker));
    for (const worker of all) {
      const periods = silent.get(worker) ?? 0;
      silent.set(worker, periods + 1);
      // A frozen worker gets no further question: messages for it would fill the memory.
      if (periods === 0) ask(worker);
      if (periods >= SILENT_PERIODS && isAnyAlive) kill(worker);
    }
  };

  return {
    start: () => {
      if (cancel === undefined) check();
    },
    stop: () => {
      cancel?.();
      cancel = undefined;
      silent.clear();
    },
    onAnswer: (worker) => {
      silent.delete(worker);
    },
    onEnd: (worker) => {
      silent.delete(worker);
    },
  };
};
