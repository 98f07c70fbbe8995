/**
 * The primary process of `server.workers`: it starts the workers, opens the listening sockets and passes connections on.
 * It never reads a request.
 */
import cluster, { type Worker } from "node:cluster";
import type { AddressInfo } from "node:net";
import { setTimeout } from "node:timers/promises";
import type { Addresses, ListenerName } from "../app/listeners.ts";
import type { Settings } from "../config/schema/schema.ts";
import type { Fleet, ReloadControl } from "../app/reload-control.ts";
import type { TlsFiles } from "../app/read-tls.ts";
import { systemClock } from "../lib/clock.ts";
import type { Audit } from "../observability/audit.ts";
import type { Log } from "../observability/logger/logger.ts";
import {
  type AuditMetrics,
  createSupervisorMetrics,
  type ReloadMetrics,
} from "../observability/reload-metrics.ts";
import { createFleet, type WorkersFleet } from "./fleet.ts";
import type { Slot } from "./messages.ts";
import type { FleetWorker } from "./reload-calls.ts";
import { createSupervisorAudit } from "./supervisor-audit.ts";
import { openSupervisorSpool, type SupervisorSpool } from "./supervisor-spool.ts";
import { type SharedListener, type SharedListenerOptions, openSharedListener } from "./shared-listener.ts";
import { createInquiries, type Inquiries } from "./inquiries.ts";
import { createWorkerSlot, type WorkerSlot, tell } from "./worker-slot.ts";

interface SupervisorOptions {
  readonly workers: number;
  /** Node's arguments of the workers. */
  readonly execArgv: readonly string[];
  readonly settings: Settings;
  readonly tls: TlsFiles;
  readonly log: Pick<Log, "logger" | "always">;
  /** For requests at a worker. */
  readonly reload: ReloadControl;
}

interface Supervisor {
  /** Binds both listeners. Rejects with node's error, for example if an address is in use. */
  listen(): Promise<Addresses>;
  /** Ends all workers. Resolves after `server.shutdownGrace` at the latest. */
  stop(): Promise<void>;
  readonly fleet: Fleet;
  readonly metrics: ReloadMetrics;
  readonly audit: Audit;
}

/** Milliseconds, and fraction of the grace period: a worker that has not stopped accepting by then counts as frozen. */
const SHUT_TIMEOUT = 2000;
const SHUT_SHARE = 0.1;

/**
 * Resolves when all workers are ready. Rejects if a worker fails to start, with SETTINGS_INVALID if that is the reason.
 */
export const supervise = async (options: SupervisorOptions): Promise<Supervisor> => {
  const { workers, execArgv, settings, tls, reload, log } = options;
  const { server, admin } = settings;
  const metrics = createSupervisorMetrics();
  const inquiries = createInquiries((worker, message) => {
    tell(cluster.workers?.[worker], message);
  }, metrics.samples);
  const listeners = new Map<ListenerName, SharedListener>();
  const fleet = createFleet({
    clock: systemClock,
    first: { attempt: 0, settings, tls },
    status: reload.status(),
    serving: () => serving(slots),
    settingsOf: (all, slot) => settingsOf(all, slot - 1),
  });
  const spool = await openSupervisorSpool(settings, { logger: log.logger, metrics });
  const stdio = ["inherit", "inherit", "inherit", "ipc", ...spool.inherited] as const;
  cluster.setupPrimary({ serialization: "advanced", stdio: [...stdio], execArgv: [...execArgv] });
  const audit = auditAt(() => serving(slots), { log, metrics });
  const parts: SlotParts = { ...options, fleet, inquiries, listeners, audit, spool };
  const slots: readonly WorkerSlot[] = Array.from({ length: workers }, (_, index) =>
    openSlot(index + 1, parts),
  );
  const closeAll = closerOf(slots, spool);
  const open = async (options: SharedListenerOptions): Promise<AddressInfo> => {
    const listener = await openSharedListener(options);
    listeners.set(options.listener, listener);
    for (const worker of options.workers()) listener.share(worker);
    return listener.address;
  };

  // One worker starts first: a fault that stops it would stop the others too.
  const [first, ...others] = slots;
  try {
    await first?.open();
    await Promise.all(others.map((other) => other.open()));
  } catch (error) {
    await closeAll(0);
    throw error;
  }
  return {
    ...{ fleet, metrics, audit },
    listen: async () => ({
      // One worker serves the operators, so that their answers do not depend on the worker.
      admin: await open({
        ...admin,
        backlog: server.backlog,
        listener: "admin",
        workers: present(slots.slice(0, 1)),
      }),
      public: await open({ ...server, listener: "public", workers: present(slots) }),
    }),
    stop: async () => {
      // The supervisor closes its socket last: only the supervisor is never too busy to empty the queue of connections.
      const begin = performance.now();
      const timeout = Math.min(SHUT_TIMEOUT, server.shutdownGrace * SHUT_SHARE);
      const shut = Promise.all(slots.map((slot) => slot.shut()));
      await Promise.race([shut, setTimeout(timeout, undefined, { ref: false })]);
      await Promise.all([...listeners.values()].map((listener) => listener.close()));
      await closeAll(server.shutdownGrace - (performance.now() - begin));
      audit.close();
    },
  };
};

const closerOf =
  (slots: readonly WorkerSlot[], spool: SupervisorSpool) =>
  async (graceMs: number): Promise<void> => {
    await Promise.all(slots.map((slot) => slot.close(graceMs)));
    await spool.close();
  };

/** The workers that take connections. */
const serving = (slots: readonly WorkerSlot[]): readonly FleetWorker[] =>
  slots.flatMap(({ worker }, index) => (worker ? [memberOf(worker, index + 1)] : []));

interface AuditParts extends Pick<SupervisorOptions, "log"> {
  readonly metrics: AuditMetrics;
}

const auditAt = (workers: () => readonly FleetWorker[], { log, metrics }: AuditParts) =>
  createSupervisorAudit({
    ...{ serving: workers, write: log.always, logger: log.logger, now: () => systemClock.now() },
    unstored: (entries) => {
      metrics.auditUnstored(entries);
    },
  });

interface SlotParts extends Pick<SupervisorOptions, "settings" | "log" | "reload"> {
  readonly fleet: WorkersFleet;
  readonly inquiries: Inquiries;
  readonly listeners: ReadonlyMap<ListenerName, SharedListener>;
  readonly audit: ReturnType<typeof createSupervisorAudit>;
  readonly spool: SupervisorSpool;
}

const openSlot = (slot: Slot, { settings, log, reload, ...parts }: SlotParts): WorkerSlot => {
  const { fleet, inquiries, listeners, audit, spool } = parts;
  return createWorkerSlot({
    ...{ slot, shutdownGrace: settings.server.shutdownGrace, logger: log.logger },
    begin: (worker) => {
      spool.begin(memberOf(worker, slot));
      fleet.begin(memberOf(worker, slot));
    },
    admit: (worker) => fleet.admit(memberOf(worker, slot)),
    onReady: (worker) => {
      for (const listener of listeners.values()) listener.share(worker);
      audit.onReady();
    },
    onMessage: (worker, message) => {
      if (message.type === "taken") listeners.get(message.listener)?.taken(message.id);
      if (message.type === "reload")
        void reload.reload(message).then((answer) => {
          tell(worker, { type: "reload-ended", id: message.id, answer });
        });
      fleet.onMessage(memberOf(worker, slot), message);
      inquiries.onMessage(worker.id, message);
      audit.onMessage(worker.id, message);
      spool.onMessage(memberOf(worker, slot), message);
    },
    onEnd: (worker) => {
      for (const listener of listeners.values()) listener.reclaim(worker);
      fleet.onEnd(memberOf(worker, slot));
      inquiries.onEnd(worker.id);
      audit.onEnd(worker.id);
      spool.onEnd(memberOf(worker, slot));
    },
  });
};

const memberOf = (worker: Worker, slot: Slot): FleetWorker => ({
  ...{ id: worker.id, slot },
  tell: (message) => {
    tell(worker, message);
  },
  kill: () => {
    worker.process.kill("SIGKILL");
  },
});

/** The settings of one worker. Each worker has a peer port of its own, because other processes call this one worker there. */
export const settingsOf = (settings: Settings, index: number): Settings => {
  const { reading } = settings;
  const { port } = reading.peer;
  return {
    ...settings,
    reading: { ...reading, peer: { ...reading.peer, port: port === 0 ? 0 : port + index } },
  };
};

const present = (slots: readonly WorkerSlot[]) => (): readonly Worker[] =>
  slots.flatMap(({ worker }) => worker ?? []);

interface WorkerCount {
  readonly workers: number;
  /** The reason, if the number differs from the settings. */
  readonly warning?: string;
}

/** `auto` is one worker per core. It is always 1 with the embedded log, which one process opens. */
export const workerCount = ({ server, broker }: Settings, cores: number): WorkerCount => {
  const wanted = server.workers === "auto" ? cores : server.workers;
  if (wanted === 1 || broker.type !== "embedded") return { workers: wanted };
  return {
    workers: 1,
    warning: `server.workers is ${server.workers}, but the embedded log belongs to one process: one worker serves`,
  };
};
