/**
 * The spool of a process that is alone in its pod: it is the main process, the only worker and the drainer. The messages between
 * these roles are delivered in their order, each in a turn of its own.
 */
import type { BrokerRecord } from "../broker/broker.ts";
import type { FromMain, ToMain } from "./messages.ts";
import { openPodSpool, type PodObserver, type PodSpool } from "./pod-spool.ts";
import { type Spool, WorkerSpool, type WorkerSpoolOptions } from "./worker-spool.ts";

export interface OwnSpoolOptions<Event = BrokerRecord> extends Omit<
  WorkerSpoolOptions<Event>,
  "channel" | "observer"
> {
  readonly observer: WorkerSpoolOptions["observer"] & PodObserver;
}

export interface OwnSpool<Event = BrokerRecord> extends Spool<Event>, Pick<PodSpool, "contents"> {}

/** The id of this process as the only worker. */
const SELF = 1;

/** Rejects with SETTINGS_INVALID if the directory can't be used. Draining starts by itself. */
export const openOwnSpool = async <Event = BrokerRecord>(
  options: OwnSpoolOptions<Event>,
): Promise<OwnSpool<Event>> => {
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
  const worker = new WorkerSpool<Event>({
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
    isSpooling: worker.isSpooling.bind(worker),
    contents: () => pod.contents(),
    close: async () => {
      await worker.close();
      await pod.close();
    },
  };
};
