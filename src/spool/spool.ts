/**
 * The spool of a process that is alone in its pod: it is the main process, the only worker and the drainer. The messages between
 * these roles are delivered in their order, each in a turn of its own.
 */
import type { FromMain, ToMain } from "./messages.ts";
import { openPodSpool, type PodObserver, type PodSpool } from "./pod-spool.ts";
import { type Spool, WorkerSpool, type WorkerSpoolOptions } from "./worker-spool.ts";

export interface OwnSpoolOptions extends Omit<WorkerSpoolOptions, "channel" | "observer"> {
  readonly observer: WorkerSpoolOptions["observer"] & PodObserver;
}

export interface OwnSpool extends Spool, Pick<PodSpool, "contents"> {}

/** The id of this process as the only worker. */
const SELF = 1;

/** Rejects with SETTINGS_INVALID if the directory can't be used. Draining starts by itself. */
export const openOwnSpool = async (options: OwnSpoolOptions): Promise<OwnSpool> => {
  let listener: (message: FromMain) => void = () => undefined;
  const pod = await openPodSpool({
    ...options,
    tell: (_, message) => {
      queueMicrotask(() => {
        listener(message);
      });
    },
    // A process that does not run does not come here.
    kill: () => undefined,
  });
  const worker = new WorkerSpool({
    ...options,
    channel: {
      ...pod.begin(SELF, SELF),
      send: (message: ToMain) => {
        queueMicrotask(() => {
          pod.onMessage(SELF, message);
        });
      },
      listen: (given) => {
        listener = given;
      },
    },
  });
  pod.started(SELF);
  return {
    append: worker.append.bind(worker),
    readiness: worker.readiness.bind(worker),
    contents: () => pod.contents(),
    close: async () => {
      await worker.close();
      await pod.close();
    },
  };
};
