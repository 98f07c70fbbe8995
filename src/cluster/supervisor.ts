/**
 * The primary of several processes: it starts the workers that serve, opens the doors and hands connections on. It never
 * sees a request.
 */
import cluster, { type Worker } from "node:cluster";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import type { Addresses, ListenerName } from "../app/listeners.ts";
import type { Settings } from "../config/schema/schema.ts";
import type { Logger } from "../observability/logger/logger.ts";
import { type SharedListener, type SharedListenerOptions, openSharedListener } from "./shared-listener.ts";
import { createInquiries } from "./inquiries.ts";
import { createWorkerSlot, type WorkerSlot, tell } from "./worker-slot.ts";

interface SupervisorOptions {
  readonly workers: number;
  readonly settings: Settings;
  readonly logger: Logger;
}

interface Supervisor {
  /** Binds both listeners. Rejects as node does, when an address is taken. */
  listen(): Promise<Addresses>;
  /** Ends all workers in order; resolves at the latest after `server.shutdownGrace`. */
  stop(): Promise<void>;
}

/** A worker that doesn't shut its doors in this time, in milliseconds, or in this share of the grace period, is frozen. */
const SHUT_TIMEOUT = 2000;
const SHUT_SHARE = 0.1;

/** Resolves once all workers are ready. Rejects where one isn't, with SETTINGS_INVALID where that is the reason. */
export const supervise = async ({ workers, settings, logger }: SupervisorOptions): Promise<Supervisor> => {
  cluster.setupPrimary({ serialization: "advanced" });
  const { server, admin } = settings;
  const inquiries = createInquiries((worker, message) => {
    tell(cluster.workers?.[worker], message);
  });
  const doors = new Map<ListenerName, SharedListener>();
  const places = Array.from({ length: workers }, (_, index) =>
    createWorkerSlot({
      ...{ slot: index + 1, settings, logger },
      onMessage: (worker, message) => {
        if (message.type === "ready") for (const door of doors.values()) door.share(worker);
        if (message.type === "taken") doors.get(message.listener)?.taken(message.id);
        inquiries.onMessage(worker.id, message);
      },
      onEnd: (worker) => {
        for (const door of doors.values()) door.reclaim(worker);
        inquiries.onEnd(worker.id);
      },
    }),
  );
  const closeAll = async (graceMs: number): Promise<void> => {
    await Promise.all(places.map((place) => place.close(graceMs)));
  };
  const open = async (options: SharedListenerOptions): Promise<AddressInfo> => {
    const door = await openSharedListener(options);
    doors.set(options.listener, door);
    for (const worker of options.workers()) door.share(worker);
    return door.address;
  };

  // The first one goes ahead: what keeps it from starting would keep the others from it too.
  const [first, ...others] = places;
  try {
    await first?.open();
    await Promise.all(others.map((other) => other.open()));
  } catch (error) {
    await closeAll(0);
    throw error;
  }
  return {
    listen: async () => ({
      // One of them serves the operators: what they are told must not depend on who is asked.
      admin: await open({
        ...admin,
        backlog: server.backlog,
        listener: "admin",
        workers: present(places.slice(0, 1)),
      }),
      public: await open({ ...server, listener: "public", workers: present(places) }),
    }),
    stop: async () => {
      // The socket that is closed last is the supervisor's: it alone is never too busy to leave none in the queue.
      const begin = performance.now();
      const patience = Math.min(SHUT_TIMEOUT, server.shutdownGrace * SHUT_SHARE);
      const shut = Promise.all(places.map((place) => place.shut()));
      await Promise.race([shut, setTimeout(patience, undefined, { ref: false })]);
      await Promise.all([...doors.values()].map((door) => door.close()));
      await closeAll(server.shutdownGrace - (performance.now() - begin));
    },
  };
};

const present = (places: readonly WorkerSlot[]) => (): readonly Worker[] =>
  places.flatMap(({ worker }) => worker ?? []);

/** How many processes serve. */

interface WorkerCount {
  readonly workers: number;
  /** Why it is not what the settings ask for. */
  readonly warning?: string;
}

/** `auto` is one per core. The embedded log is one process's: there it is 1, whatever was asked for. */
export const workerCount = ({ server, broker }: Settings, cores: number): WorkerCount => {
  const wanted = server.workers === "auto" ? cores : server.workers;
  if (broker.type !== "embedded" || wanted === 1) return { workers: wanted };
  return {
    workers: 1,
    warning: `server.workers is ${server.workers}, but the embedded log belongs to one process: one worker serves`,
  };
};
