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
  /** Begins a reload that looks at these files again. `by` is the trigger of the reload that found the faults. */
  readonly again: (by: ReloadTrigger) => void;
}

interface Applied {
  readonly keptFaults: readonly string[];
  readonly generation: number;
  readonly changed: readonly string[];
  readonly needsRestart: readonly string[];
}

export interface Reports {
  applied(turn: Turn, result: Applied): void;
  unchanged(turn: Turn): void;
  refused(turn: Turn, faults: readonly string[]): ReloadAnswer;
  /** There are only faults of files whose settings keep the value in use. `kept` logs them. */
  refusedKept(turn: Turn, faults: readonly string[]): ReloadAnswer;
  failed(turn: Turn, faults: readonly string[]): ReloadAnswer;
  /** Called in each reload, before its end, with the faults of files whose settings keep the value in use. */
  kept(turn: Turn, faults: readonly string[]): void;
  stop(): void;
}

const REFUSED = "settings refused, the old ones stay";

/** Milliseconds. A certificate and its key are written one after the other. */
const KEPT_MS = 5000;

/** A signal or a request: an operator waits for the result. */
const isAsked = ({ trigger, isRepetition }: Turn): boolean => trigger !== "file" && !isRepetition;

/** undefined: the request has an audit entry of its own. A repetition has no request, so it is audited as a reload by files. */
const viaOf = ({ trigger, isRepetition }: Turn): ReloadRecord["trigger"] | undefined => {
  if (trigger !== "request") return trigger;
  return isRepetition ? "file" : undefined;
};

/** Logs faults: each time that an operator asks, and else once while they are the same. */
const createFaultReports = ({ logger, audited }: Pick<ReportOptions, "logger" | "audited">) => {
  let logged: string | undefined;
  const audit = (turn: Turn, outcome: ReloadRecord["outcome"], changed: readonly string[]): void => {
    const trigger = viaOf(turn);
    if (trigger !== undefined) audited({ trigger, outcome, changed });
  };
  const log = ({ trigger }: Turn, faults: readonly string[]): void => {
    logged = faults.join("\n");
    logger.error({ trigger, faults }, REFUSED);
  };
  return {
    ...{ audit, log },
    report: (turn: Turn, outcome: "refused" | "failed", faults: readonly string[]): void => {
      if (!isAsked(turn) && faults.join("\n") === logged) return;
      log(turn, faults);
      audit(turn, outcome, []);
    },
    forget: (): void => {
      logged = undefined;
    },
  };
};

/** Reports faults of files when they have lasted for some time, because another file, such as that of a key, can follow. */
const createKeptReports = (
  { clock, again }: ReportOptions,
  report: (turn: Turn, faults: readonly string[], options: { readonly isAudited: boolean }) => void,
) => {
  let waiting: { readonly text: string; readonly cancel: () => void } | undefined;
  /** Has lasted for `KEPT_MS`. */
  let due: string | undefined;
  let reported: string | undefined;
  /** An asked reload was refused for them. */
  let refused: string | undefined;

  const stop = (): void => {
    waiting?.cancel();
    waiting = due = undefined;
  };
  const wait = ({ trigger }: Turn, text: string): void => {
    if (waiting?.text === text) return;
    stop();
    const cancel = clock.after(KEPT_MS, () => {
      waiting = undefined;
      due = text;
      again(trigger);
    });
    waiting = { text, cancel };
  };

  return {
    stop,
    seen: (turn: Turn, faults: readonly string[]): void => {
      const text = faults.join("\n");
      const isOld = text === due || text === reported;
      if (text !== "" && !isOld) {
        wait(turn, text);
        return;
      }
      if (text !== "" && (text === due || isAsked(turn)))
        report(turn, faults, { isAudited: isAsked(turn) || text === refused });
      reported = text === "" ? undefined : text;
      if (text === "") refused = undefined;
      stop();
    },
    refused: (faults: readonly string[]): void => {
      refused = faults.join("\n");
    },
    /** A reload ended before it could look at these files. The time begins anew. */
    notSeen: (): void => {
      due = undefined;
    },
  };
};

export const createReports = (options: ReportOptions): Reports => {
  const { metrics, clock, logger } = options;
  const faultReports = createFaultReports(options);
  const keptReports = createKeptReports(options, (turn, faults, { isAudited }) => {
    faultReports.log(turn, faults);
    if (!isAudited) faultReports.audit(turn, "refused", []);
  });

  const count = ({ trigger }: Turn, outcome: ReloadOutcome, faults: readonly string[] = []): void => {
    metrics.reloadEnded(trigger, outcome);
    metrics.settingsRefused(outcome === "refused" || outcome === "failed" || faults.length > 0);
  };

  const ended = (turn: Turn, changed: readonly string[]): void => {
    faultReports.forget();
    faultReports.audit(turn, "done", changed);
  };

  return {
    applied: (turn, { generation, changed, needsRestart, keptFaults }) => {
      const { trigger, since } = turn;
      count(turn, "applied", keptFaults);
      const ms = clock.now() - since;
      logger.info({ trigger, generation, changed, needsRestart, ms }, "settings reloaded");
      ended(turn, changed);
    },
    unchanged: (turn) => {
      count(turn, "unchanged");
      // A file that was changed and set back is no event for an operator.
      if (isAsked(turn)) ended(turn, []);
      else faultReports.forget();
    },
    refused: (turn, faults) => {
      count(turn, "refused");
      keptReports.notSeen();
      faultReports.report(turn, "refused", faults);
      return { status: "refused", faults };
    },
    refusedKept: (turn, faults) => {
      count(turn, "refused");
      if (isAsked(turn)) {
        keptReports.refused(faults);
        faultReports.audit(turn, "refused", []);
      }
      return { status: "refused", faults };
    },
    failed: (turn, faults) => {
      count(turn, "failed");
      faultReports.report(turn, "failed", faults);
      return { status: "failed", faults };
    },
    kept: keptReports.seen,
    stop: keptReports.stop,
  };
};
