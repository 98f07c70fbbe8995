/** The spool of a pod with workers: passes the messages between `PodSpool` and the workers. */
import { closeSpool, measureSpool, podObserver } from "../app/pod-spool.ts";
import type { Settings } from "../config/schema/schema.ts";
import { systemClock } from "../lib/clock.ts";
import type { Logger } from "../observability/logger/logger.ts";
import type { SpoolMetrics } from "../observability/spool-metrics.ts";
import { openPodSpool } from "../spool/pod-spool.ts";
import type { ToSupervisor } from "./messages.ts";
import type { FleetWorker } from "./reload-calls.ts";

export interface SupervisorSpool {
  /** Open files that each worker must inherit. */
  readonly inherited: readonly number[];
  /** Call it before the worker gets `begin`. */
  begin(worker: FleetWorker): void;
  /** The worker has the states of all topics before its first connection if its message `ready` comes here first. */
  onMessage(worker: FleetWorker, message: ToSupervisor): void;
  onEnd(worker: FleetWorker): void;
  /** Call it when all workers have ended. */
  close(): Promise<void>;
}

interface SupervisorSpoolOptions {
  readonly logger: Logger;
  readonly metrics: Pick<SpoolMetrics, "spoolFrom">;
}

/** Rejects with SETTINGS_INVALID if the directory of the spool can't be used. */
export const openSupervisorSpool = async (
  { spool: settings, roles }: Settings,
  { logger, metrics }: SupervisorSpoolOptions,
): Promise<SupervisorSpool> => {
  if (settings === undefined || !roles.includes("ingest")) return NO_SPOOL;
  const workers = new Map<number, FleetWorker>();
  const pod = await openPodSpool({
    ...{ dir: settings.dir, maxBytes: settings.maxBytes, clock: systemClock },
    tell: (id, message) => {
      workers.get(id)?.tell({ type: "spool", message });
    },
    kill: (id) => {
      const worker = workers.get(id);
      logger.error(
        { worker: worker?.slot },
        "the worker does not answer, and other workers wait for it: it is killed",
      );
      worker?.kill();
    },
    observer: podObserver(logger),
  });
  measureSpool(pod, settings.maxBytes, { clock: systemClock, metrics, logger });
  return {
    inherited: [pod.lockFile],
    begin: (worker) => {
      workers.set(worker.id, worker);
      worker.tell({ type: "spool-begin", ...pod.begin(worker.id, worker.slot) });
    },
    onMessage: ({ id }, message) => {
      if (message.type === "ready") pod.started(id);
      if (message.type === "spool") pod.onMessage(id, message.message);
    },
    onEnd: ({ id }) => {
      workers.delete(id);
      pod.ended(id);
    },
    close: () => closeSpool(pod, logger),
  };
};

const NO_SPOOL: SupervisorSpool = {
  inherited: [],
  begin: () => undefined,
  onMessage: () => undefined,
  onEnd: () => undefined,
  close: () => Promise.resolve(),
};
