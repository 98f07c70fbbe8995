/**
 * The audit of the supervisor. It writes the lines itself, and a worker stores them, because the supervisor has no broker. A line is
 * kept until a worker has confirmed it: a worker that ends before does not lose it. While no worker serves, the lines wait.
 */
import { uuidV7 } from "../lib/uuid.ts";
import { type Audit, type AuditLine, createAudit } from "../observability/audit.ts";
import type { Logger } from "../observability/logger/logger.ts";
import type { ToSupervisor, ToWorker } from "./messages.ts";

interface AuditWorker {
  readonly id: number;
  readonly tell: (message: ToWorker) => void;
}

interface SupervisorAuditOptions {
  /** Writes a line at every log level. */
  readonly write: (line: AuditLine) => void;
  readonly logger: Pick<Logger, "warn">;
  /** The workers that serve. */
  readonly serving: () => readonly AuditWorker[];
  /** Called with the number of entries that were dropped. */
  readonly unstored: (entries: number) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

interface SupervisorAudit extends Audit {
  /** Call it when a worker serves. */
  readonly onReady: () => void;
  readonly onMessage: (worker: number, message: ToSupervisor) => void;
  /** The worker has ended, and is not among those that serve. */
  readonly onEnd: (worker: number) => void;
  /** Drops the lines that wait. Call it when all workers have ended. */
  readonly close: () => void;
}

/** Maximum number of lines that wait or are not confirmed. Further lines are written, and not stored. */
const MAX_WAITING = 1000;

export const createSupervisorAudit = (options: SupervisorAuditOptions): SupervisorAudit => {
  const { write, logger, serving, unstored, now } = options;
  let waiting: readonly AuditLine[] = [];
  /** Lines that are not confirmed, by worker and id. */
  const given = new Map<number, Map<number, AuditLine>>();
  let ids = 0;
  let hasDropped = false;

  const countAt = (worker: number): number => given.get(worker)?.size ?? 0;
  const count = (): number =>
    [...given.keys()].reduce((sum, worker) => sum + countAt(worker), waiting.length);

  const drop = (entries: number, reason: string): void => {
    unstored(entries);
    if (!hasDropped) logger.warn({ entries, reason }, "audit entries are dropped");
    hasDropped = true;
  };

  const give = ({ id: worker, tell }: AuditWorker, line: AuditLine): void => {
    const id = ++ids;
    given.set(worker, (given.get(worker) ?? new Map<number, AuditLine>()).set(id, line));
    tell({ type: "audit", id, line });
  };

  /** A worker that does not answer has lines that are not confirmed, so other workers get the next lines. */
  const giveWaiting = (): void => {
    const lines = waiting;
    waiting = [];
    for (const line of lines) {
      const [worker] = [...serving()].sort((one, other) => countAt(one.id) - countAt(other.id));
      if (worker === undefined) waiting = [...waiting, line];
      else give(worker, line);
    }
  };

  const store = (line: AuditLine): void => {
    if (count() >= MAX_WAITING) {
      drop(1, `${MAX_WAITING} entries wait already`);
      return;
    }
    // One id, also if two workers store the line.
    waiting = [...waiting, { id: uuidV7(line.time), ...line }];
    giveWaiting();
  };

  return {
    ...createAudit({ write, store, now }),
    onReady: giveWaiting,
    onMessage: (worker, message) => {
      if (message.type !== "audit-taken") return;
      given.get(worker)?.delete(message.id);
      if (count() === 0) hasDropped = false;
    },
    onEnd: (worker) => {
      waiting = [...(given.get(worker)?.values() ?? []), ...waiting];
      given.delete(worker);
      giveWaiting();
    },
    close: () => {
      if (waiting.length > 0) drop(waiting.length, "the process ends");
      waiting = [];
    },
  };
};
