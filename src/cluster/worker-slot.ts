/** A slot has one worker at a time: a worker that ended is replaced until the slot is closed. */
import cluster, { type Worker } from "node:cluster";
import { once } from "node:events";
import { GatewayError } from "../errors.ts";
import type { Logger } from "../observability/logger/logger.ts";
import type { Slot, ToSupervisor, ToWorker } from "./messages.ts";

interface WorkerSlotOptions {
  readonly slot: Slot;
  readonly shutdownGrace: number;
  readonly logger: Logger;
  /** Tells the worker to begin. */
  readonly begin: (worker: Worker) => void;
  /** The worker has started. Resolves when it may take connections; undefined: at once; false: it was killed. */
  readonly admit: (worker: Worker) => Promise<boolean> | undefined;
  /** The worker takes connections. */
  readonly onReady: (worker: Worker) => void;
  readonly onMessage: (worker: Worker, message: ToSupervisor) => void;
  readonly onEnd: (worker: Worker) => void;
}

export interface WorkerSlot {
  /** The worker, if there is one that takes connections. */
  readonly worker: Worker | undefined;
  /**
   * Starts the first worker. Resolves when the worker takes connections. Rejects if it ends before, with SETTINGS_INVALID
   * if that is the reason. A worker that ends later is replaced.
   */
  open(): Promise<void>;
  /**
   * Resolves when the worker has stopped accepting connections, or has ended. It goes on serving its open connections.
   */
  shut(): Promise<void>;
  /** Asks the worker to end, and kills it if it doesn't (a frozen worker too). Resolves within `graceMs` milliseconds. */
  close(graceMs: number): Promise<void>;
}

/** Fractions of the grace period after which the worker must have ended by itself, and after which it is killed. */
const ORDERLY_SHARE = 0.9;
const KILL_SHARE = 0.95;

export const tell = (worker: Worker | undefined, message: ToWorker): void => {
  if (worker?.isConnected() === true) worker.send(message);
};

export const createWorkerSlot = (options: WorkerSlotOptions): WorkerSlot => {
  const { slot, shutdownGrace, logger, onMessage, onEnd } = options;
  const backOff = createBackOff();
  let current: Worker | undefined;
  let ready: Worker | undefined;
  let replacement: NodeJS.Timeout | undefined;
  let isOpen = false;

  /** At once if the worker has the newest settings. */
  const serveWith = async (worker: Worker): Promise<void> => {
    const admission = options.admit(worker);
    if ((admission !== undefined && !(await admission)) || current !== worker) return;
    ready = worker;
    options.onReady(worker);
  };

  const startWorker = (): Worker => {
    const bornAt = performance.now();
    const worker = cluster.fork();
    let refusal: string | undefined;
    current = worker;
    logger.info({ worker: slot, pid: worker.process.pid }, "worker started");
    worker.on("message", (message: ToSupervisor) => {
      if (message.type === "born") options.begin(worker);
      if (message.type === "refused") refusal = message.message;
      if (message.type === "leaving") {
        ready = undefined;
        tell(worker, { type: "stop", graceMs: shutdownGrace });
      }
      onMessage(worker, message);
      // Last, so that the worker has got all that other processes know before its first connection.
      if (message.type === "ready") void serveWith(worker);
    });
    worker.once("exit", (code, signal) => {
      current = ready = undefined;
      onEnd(worker);
      if (!isOpen) return;
      const waitMs = backOff.next(performance.now() - bornAt);
      const end = { worker: slot, pid: worker.process.pid, code, signal, refusal, waitMs };
      logger.error(end, "worker ended; it will be replaced");
      replacement = setTimeout(startWorker, waitMs);
    });
    return worker;
  };

  return {
    get worker() {
      return ready;
    },
    open: async () => {
      await becomesReady(startWorker());
      isOpen = true;
    },
    shut: async () => {
      if (ready !== undefined) await becomesShut(ready);
    },
    close: async (graceMs) => {
      isOpen = false;
      clearTimeout(replacement);
      if (current !== undefined) await endWorker(current, graceMs);
    },
  };
};

const endWorker = async (worker: Worker, graceMs: number): Promise<void> => {
  const ended = once(worker, "exit");
  tell(worker, { type: "stop", graceMs: graceMs * ORDERLY_SHARE });
  const killTimer = setTimeout(() => worker.process.kill("SIGKILL"), graceMs * KILL_SHARE);
  await ended;
  clearTimeout(killTimer);
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
    // `disconnect` comes after the last message of the channel; `exit` can come before it.
    worker.once("disconnect", () => {
      reject(failure);
    });
  });

const FIRST_MS = 200;
const LONGEST_MS = 30_000;
/** Milliseconds. A worker that lived longer did not fail because of its start. */
const STEADY_MS = 60_000;

interface BackOff {
  /**
   * Milliseconds until the next start, after a worker that lived `livedMs`. The wait doubles with each short life in a
   * row.
   */
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
