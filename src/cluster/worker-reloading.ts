/** The worker's part of a reload: it prepares and swaps when the supervisor says so, and passes requests for a reload on. */
import { createPreparation, type Preparation } from "../app/preparation.ts";
import type { Prepare, ReloadControl } from "../app/reload-control.ts";
import type { ReloadAnswer, ReloadStatus } from "../http/handlers/operations/reload.ts";
import type { StoredAudit } from "../observability/audit.ts";
import type { ToSupervisor, ToWorker } from "./messages.ts";

type Message<Type extends ToWorker["type"]> = Extract<ToWorker, { readonly type: Type }>;

const TYPES = ["prepare", "swap", "discard", "reload-status", "reload-ended", "audit"] as const;

export type ReloadMessage = Message<(typeof TYPES)[number]>;

export const isOfReload = (message: ToWorker): message is ReloadMessage =>
  (TYPES as readonly string[]).includes(message.type);

interface WorkerReloading {
  /** The control for the routes of this worker. */
  control(status: ReloadStatus): ReloadControl;
  /** The worker serves, and can prepare. */
  serve(gateway: { readonly prepare: Prepare; readonly audit: Pick<StoredAudit, "store"> }): void;
  onMessage(message: ReloadMessage): void;
}

/** Milliseconds between two signs that this process goes on preparing. */
const SIGN_MS = 1000;

export const createWorkerReloading = (say: (message: ToSupervisor) => void): WorkerReloading => {
  const waiting = new Map<number, (answer: ReloadAnswer) => void>();
  let ids = 0;
  let shown: ReloadStatus;
  let preparation: Preparation | undefined;
  let audit: Pick<StoredAudit, "store"> | undefined;

  const prepare = async ({ type: _, ...attempt }: Message<"prepare">): Promise<void> => {
    const sign = setInterval(() => {
      say({ type: "preparing", attempt: attempt.attempt });
    }, SIGN_MS);
    const fault = preparation ? await preparation.prepare(attempt) : "the worker does not serve yet";
    clearInterval(sign);
    say({ type: "prepared", attempt: attempt.attempt, fault });
  };

  return {
    control: (status) => {
      shown = status;
      return {
        reload: ({ dryRun }) =>
          new Promise((resolve) => {
            const id = ++ids;
            waiting.set(id, resolve);
            say({ type: "reload", id, dryRun });
          }),
        status: () => shown,
      };
    },
    serve: (gateway) => {
      preparation = createPreparation(gateway.prepare);
      ({ audit } = gateway);
    },
    onMessage: (message) => {
      switch (message.type) {
        case "audit":
          if (audit === undefined) return;
          audit.store(message.line);
          say({ type: "audit-taken", id: message.id });
          return;
        case "prepare":
          void prepare(message);
          break;
        case "swap":
          if (preparation?.swap(message.attempt) === true) say({ type: "swapped", attempt: message.attempt });
          break;
        case "discard":
          preparation?.discard(message.attempt);
          break;
        case "reload-status":
          shown = message.status;
          break;
        case "reload-ended":
          waiting.get(message.id)?.(message.answer);
          waiting.delete(message.id);
      }
    },
  };
};
