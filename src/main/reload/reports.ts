/** What a reload leaves behind: log lines, counts, audit entries and the refused answers. */
import type { ReloadAnswer, ReloadTrigger } from "../../http/handlers/operations/reload.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Logger } from "../../observability/logger/logger.ts";
import type { ReloadMetrics, ReloadOutcome } from "../../observability/reload-metrics.ts";
import type { Turn } from "./turns.ts";

/** For the audit. A request has an audit entry of its own. */
export interface ReloadRecord {
  readonly trigger: Exclude<ReloadTrigger, "request">;
  readonly outcome: "done" | "refused" | "failed";
  readonly changed: readonly string[];
}

export interface ReportOptions {
  readonly metrics: Pick<ReloadMetrics, "reloadEnded" | "settingsRefused">;
  readonly clock: Clock;
  readonly logger: Pick<Logger, "info" | "error">;
  readonly audited: (entry: ReloadRecord) => void;
  /** Begins a reload that looks at the certificates again. */
  readonly again: () => void;
}

interface Applied {
  readonly certificateFaults: readonly string[];
  readonly generation: number;
  readonly changed: readonly string[];
  readonly needsRestart: readonly string[];
}

export interface Reports {
  applied(turn: Turn, result: Applied): void;
  unchanged(turn: Turn): void;
  refused(turn: Turn, faults: readonly string[]): ReloadAnswer;
  /** Only certificates have changed, and they have faults. `certificates` logs them. */
  refusedCertificates(turn: Turn, faults: readonly string[]): ReloadAnswer;
  failed(turn: Turn, faults: readonly string[]): ReloadAnswer;
  /** Called in each reload, with the faults of the certificates in it. An empty list means that the certificates are valid. */
  certificates(turn: Turn, faults: readonly string[]): void;
  stop(): void;
}

const REFUSED = "settings refused, the old ones stay";

/** Milliseconds. A certificate and its key are written one after the other. */
const PAIR_MS = 5000;

/** Logs faults. While they are the same, a change of a file logs them once. */
const createFaultReports = ({ logger, audited }: Pick<ReportOptions, "logger" | "audited">) => {
  let logged: string | undefined;
  return {
    report: ({ trigger }: Turn, outcome: "refused" | "failed", faults: readonly string[]): void => {
      const text = faults.join("\n");
      if (trigger === "file" && text === logged) return;
      logged = text;
      logger.error({ trigger, faults }, REFUSED);
      if (trigger !== "request") audited({ trigger, outcome, changed: [] });
    },
    forget: (): void => {
      logged = undefined;
    },
  };
};

/** Logs faults of certificates when they have lasted for some time, because the other file of the pair may follow. */
const createCertificateReports = (
  { clock, again }: ReportOptions,
  report: (turn: Turn, faults: readonly string[]) => void,
) => {
  let cancel: (() => void) | undefined;
  let isDue = false;
  let reported: string | undefined;
  const stop = (): void => {
    cancel?.();
    cancel = undefined;
  };
  return {
    stop,
    seen: (turn: Turn, faults: readonly string[]): void => {
      const text = faults.join("\n");
      if (text === "") {
        stop();
        reported = undefined;
      } else if (isDue) {
        reported = text;
        report(turn, faults);
      } else if (text !== reported) {
        cancel ??= clock.after(PAIR_MS, () => {
          cancel = undefined;
          isDue = true;
          again();
        });
        return;
      }
      isDue = false;
    },
  };
};

export const createReports = (options: ReportOptions): Reports => {
  const { metrics, clock, logger, audited } = options;
  const faultReports = createFaultReports(options);
  const certificateReports = createCertificateReports(options, (turn, faults) => {
    faultReports.report(turn, "refused", faults);
  });

  const count = ({ trigger }: Turn, outcome: ReloadOutcome, faults: readonly string[] = []): void => {
    metrics.reloadEnded(trigger, outcome);
    metrics.settingsRefused(outcome === "refused" || outcome === "failed" || faults.length > 0);
  };

  const ended = ({ trigger }: Turn, changed: readonly string[]): void => {
    faultReports.forget();
    if (trigger !== "request") audited({ trigger, outcome: "done", changed });
  };

  return {
    applied: (turn, { generation, changed, needsRestart, certificateFaults }) => {
      const { trigger, since } = turn;
      count(turn, "applied", certificateFaults);
      const ms = clock.now() - since;
      logger.info({ trigger, generation, changed, needsRestart, ms }, "settings reloaded");
      ended(turn, changed);
    },
    unchanged: (turn) => {
      count(turn, "unchanged");
      // A file that was changed and set back is no event for an operator.
      if (turn.trigger === "file") faultReports.forget();
      else ended(turn, []);
    },
    refused: (turn, faults) => {
      count(turn, "refused");
      faultReports.report(turn, "refused", faults);
      return { status: "refused", faults };
    },
    refusedCertificates: (turn, faults) => {
      count(turn, "refused");
      return { status: "refused", faults };
    },
    failed: (turn, faults) => {
      count(turn, "failed");
      faultReports.report(turn, "failed", faults);
      return { status: "failed", faults };
    },
    certificates: certificateReports.seen,
    stop: certificateReports.stop,
  };
};
