/**
 * The audit of the supervisor. It writes the lines itself, and a worker stores them, because the supervisor has no broker. While no
 * worker serves, the lines wait for the next one.
 */
import { type Audit, type AuditLine, createAudit } from "../observability/audit.ts";
import type { Logger } from "../observability/logger/logger.ts";
import type { ToWorker } from "./messages.ts";

interface SupervisorAuditOptions {
  /** Writes a line at every log level. */
  readonly write: (line: AuditLine) => void;
  readonly logger: Pick<Logger, "warn">;
  /** Tells a worker that serves. Returns false if none does. */
  readonly tellWorker: (message: ToWorker) => boolean;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

interface SupervisorAudit extends Audit {
  /** Call it when a worker serves. */
  readonly onReady: () => void;
}

/** Maximum number of waiting lines. Further ones are written, and not stored. */
const MAX_WAITING = 1000;

export const createSupervisorAudit = ({
  write,
  logger,
  tellWorker,
  now,
}: SupervisorAuditOptions): SupervisorAudit => {
  const waiting: AuditLine[] = [];

  const store = (line: AuditLine): void => {
    if (tellWorker({ type: "audit", line })) return;
    if (waiting.length < MAX_WAITING) waiting.push(line);
    else logger.warn({ entries: 1, reason: "no worker serves" }, "audit entries are dropped");
  };

  return {
    ...createAudit({ write, store, now }),
    onReady: () => {
      for (const line of waiting.splice(0)) store(line);
    },
  };
};
