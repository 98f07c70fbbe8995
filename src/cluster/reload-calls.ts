/** One step of a reload at one worker: the message, the signs that the worker is alive, and its answer. */
import { type Attempt, NOT_READY_IN_TIME, PREPARE_LIMIT_MS } from "../app/reload-control.ts";
import type { Clock } from "../lib/clock.ts";
import type { Slot, ToSupervisor, ToWorker } from "./messages.ts";

/** A worker process. A replacement in the same slot has another id. */
export interface FleetWorker {
  readonly id: number;
  readonly slot: Slot;
  tell(message: ToWorker): void;
  kill(): void;
}

export type StepOutcome =
  | { readonly end: "done" }
  | { readonly end: "fault"; readonly fault: string }
  /** It has sent nothing for the time that it had. It still runs, with the old settings. */
  | { readonly end: "silent" }
  /** It has ended. Its replacement gets the newest settings. */
  | { readonly end: "gone" };

export interface ReloadCalls {
  prepare(worker: FleetWorker, attempt: Attempt): Promise<StepOutcome>;
  /** Kills a silent worker, because it may serve with the old settings. */
  swap(worker: FleetWorker, attempt: number): Promise<StepOutcome>;
  readonly onMessage: (worker: FleetWorker, message: ToSupervisor) => void;
  readonly onEnd: (worker: FleetWorker) => void;
}

/** Milliseconds after which a worker that sends nothing while it prepares counts as frozen. */
export const SILENCE_MS = 5000;
/** Milliseconds to confirm a swap. */
const SWAP_MS = 1000;

interface Call {
  readonly attempt: number;
  readonly answer: "prepared" | "swapped";
  readonly settle: (outcome: StepOutcome) => void;
  /** The worker goes on with it. */
  readonly alive: () => void;
}

type Step = Extract<ToWorker, { readonly attempt: number }>;

export const createReloadCalls = (clock: Clock): ReloadCalls => {
  const open = new Map<number, Call>();

  const call = (
    worker: FleetWorker,
    message: Step,
    [answer, silenceMs]: readonly [Call["answer"], number],
  ): Promise<StepOutcome> =>
    new Promise((resolve) => {
      let cancelSilence = (): void => undefined;
      const settle = (outcome: StepOutcome): void => {
        cancelSilence();
        cancelLimit();
        if (open.get(worker.id) === mine) open.delete(worker.id);
        resolve(outcome);
      };
      const alive = (): void => {
        cancelSilence();
        cancelSilence = clock.after(silenceMs, () => {
          settle({ end: "silent" });
        });
      };
      const cancelLimit = clock.after(PREPARE_LIMIT_MS, () => {
        settle({ end: "fault", fault: NOT_READY_IN_TIME });
      });
      const mine: Call = { attempt: message.attempt, answer, settle, alive };
      open.set(worker.id, mine);
      alive();
      worker.tell(message);
    });

  return {
    prepare: (worker, attempt) => call(worker, { type: "prepare", ...attempt }, ["prepared", SILENCE_MS]),
    swap: async (worker, attempt) => {
      const outcome = await call(worker, { type: "swap", attempt }, ["swapped", SWAP_MS]);
      if (outcome.end === "silent") worker.kill();
      return outcome;
    },
    onMessage: ({ id }, message) => {
      const asked = open.get(id);
      if (asked === undefined || !("attempt" in message) || message.attempt !== asked.attempt) return;
      if (message.type === "preparing") asked.alive();
      if (message.type !== asked.answer) return;
      const fault = message.type === "prepared" ? message.fault : undefined;
      asked.settle(fault === undefined ? { end: "done" } : { end: "fault", fault });
    },
    onEnd: ({ id }) => {
      open.get(id)?.settle({ end: "gone" });
    },
  };
};
