/** One worker's place: a dead one gets a successor, until the place is closed. */
import cluster, { type Worker } from "node:cluster";
import { once } from "node:events";
import type { Settings } from "../config/schema/schema.ts";
import { GatewayError } from "../errors.ts";
import type { Logger } from "../observability/logger/logger.ts";
import type { Slot, ToSupervisor, ToWorker } from "./messages.ts";

interface WorkerSlotOptions {
  readonly slot: Slot;
  /** What every worker of this place serves with. */
  readonly settings: Settings;
  readonly logger: Logger;
  readonly onMessage: (worker: Worker, message: ToSupervisor) => void;
  readonly onEnd: (worker: Worker) => void;
}

export interface WorkerSlot {
  /** The worker, while there is one that takes connections. */
  readonly worker: Worker | undefined;
  /**
   * Starts the first worker. Resolves when it takes connections, and rejects when it ends before: with SETTINGS_INVALID
   * where that is the reason. Only from then on are there successors.
   */
  open(): Promise<void>;
  /** The worker accepts no connection any more, and goes on with those that it has. Resolves then, or when it ends. */
  shut(): Promise<void>;
  /** Asks the worker to end, and kills it where it doesn't, frozen ones too. Resolves within so many milliseconds. */
  close(graceMs: number): Promise<void>;
}

/** Shares of the time that a worker has to end: first in order, then by force. */
const ORDERLY_SHARE = 0.9;
const KILL_SHARE = 0.95;

export const tell = (worker: Worker | undefined, message: ToWorker): void => {
  if (worker?.isConnected() === true) worker.send(message);
};

export const createWorkerSlot = (options: WorkerSlotOptions): WorkerSlot => {
  const { slot, settings, logger, onMessage, onEnd } = options;
  const backOff = createBackOff();
  let current: Worker | undefined;
  let ready: Worker | undefined;
  let succession: NodeJS.Timeout | undefined;
  let isOpen = false;

  const fill = (): Worker => {
    const bornAt = performance.now();
    const worker = cluster.fork();
    let refusal: string | undefined;
    current = worker;
    logger.info({ worker: slot, pid: worker.process.pid }, "worker started");
    worker.on("message", (message: ToSupervisor) => {
      if (message.type === "born") tell(worker, { type: "begin", slot, settings });
      if (message.type === "ready") ready = worker;
      if (message.type === "refused") refusal = message.message;
      if (message.type === "leaving") {
        ready = undefined;
        tell(worker, { type: "stop", graceMs: settings.server.shutdownGrace });
      }
      onMessage(worker, message);
    });
    worker.once("exit", (code, signal) => {
      current = ready = undefined;
      onEnd(worker);
      if (!isOpen) return;
      const waitMs = backOff.next(performance.now() - bornAt);
      const end = { worker: slot, pid: worker.process.pid, code, signal, refusal, waitMs };
      logger.error(end, "worker ended, another one takes its place");
      succession = setTimeout(fill, waitMs);
    });
    return worker;
  };

  return {
    get worker() {
      return ready;
    },
    open: async () => {
      await becomesReady(fill());
      isOpen = true;
    },
    shut: async () => {
      if (ready !== undefined) await becomesShut(ready);
    },
    close: async (graceMs) => {
      isOpen = false;
      clearTimeout(succession);
      if (current === undefined) return;
      const { process } = current;
      const ended = once(current, "exit");
      tell(current, { type: "stop", graceMs: graceMs * ORDERLY_SHARE });
      const cut = setTimeout(() => process.kill("SIGKILL"), graceMs * KILL_SHARE);
      await ended;
      clearTimeout(cut);
    },
  };
};

const becomesShut = (worker: Worker): Promise<void> =>
  new Promise((resolve) => {
    worker.on("message", ({ type }: ToSupervisor) => {
      if (type === "shut") resolve();
    });
    worker.once("exit", resolve);
    tell(worker, { type: "shut" });
  });

const becomesReady = (worker: Worker): Promise<void> =>
  new Promise((resolve, reject) => {
    let failure = new GatewayError("INTERNAL", { message: "A worker ended before it was ready" });
    worker.on("message", (message: ToSupervisor) => {
      if (message.type === "ready") resolve();
      if (message.type === "refused")
        failure = new GatewayError("SETTINGS_INVALID", { message: message.message });
    });
    // Comes behind the last message, which the worker's exit may not.
    worker.once("disconnect", () => {
      reject(failure);
    });
  });

/** When the next worker takes a dead one's place. */

const FIRST_MS = 200;
const LONGEST_MS = 30_000;
/** Who lived so long did not die of its start. */
const STEADY_MS = 60_000;

interface BackOff {
  /** Milliseconds to wait, after a life of so many milliseconds: twice as long for each short life in a row. */
  next(livedMs: number): number;
}

export const createBackOff = (): BackOff => {
  let shortLives = 0;
  return {
    next: (livedMs) => {
      shortLives = livedMs >= STEADY_MS ? 0 : shortLives + 1;
      return Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, shortLives - 1));
    },
  };
};
