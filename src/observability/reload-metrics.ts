/** Metrics of reloads and of audit entries. Only the main process counts them; the workers' values are 0. */
import { Counter, Gauge, Registry } from "prom-client";
import { spoolMetrics, type SpoolMetrics } from "./spool-metrics.ts";

export type ReloadOutcome = "applied" | "unchanged" | "refused" | "failed";

export interface ReloadMetrics {
  reloadEnded(trigger: string, outcome: ReloadOutcome): void;
  /** The last reload has found faults, or could not be applied: a change is not in use. */
  settingsRefused(isRefused: boolean): void;
  /** Settings have changed that need a restart. */
  restartNeeded(isNeeded: boolean): void;
}

const TRIGGERS = ["signal", "file", "request"];
const OUTCOMES: readonly ReloadOutcome[] = ["applied", "unchanged", "refused", "failed"];

export const reloadMetrics = (registry: Registry): ReloadMetrics => {
  const registers = [registry];
  const reloads = new Counter({
    name: "stationgate_reloads_total",
    help: "Reloads of the settings by trigger (signal, file, request) and outcome: applied, unchanged, refused, failed.",
    labelNames: ["trigger", "outcome"],
    registers,
  });
  for (const trigger of TRIGGERS) for (const outcome of OUTCOMES) reloads.inc({ trigger, outcome }, 0);
  const isRefused = new Gauge({
    name: "stationgate_settings_refused",
    help: "1 while the last reload has refused settings or files, or could not apply them, else 0.",
    registers,
  });
  const needsRestart = new Gauge({
    name: "stationgate_settings_need_restart",
    help: "1 while changed settings keep their old value until a restart, else 0.",
    registers,
  });
  return {
    reloadEnded: (trigger, outcome) => {
      reloads.inc({ trigger, outcome });
    },
    settingsRefused: (refused) => {
      isRefused.set(refused ? 1 : 0);
    },
    restartNeeded: (isNeeded) => {
      needsRestart.set(isNeeded ? 1 : 0);
    },
  };
};

export interface AuditMetrics {
  /** Entries were dropped. */
  auditUnstored(entries: number): void;
}

export const auditMetrics = (registry: Registry): AuditMetrics => {
  const unstored = new Counter({
    name: "stationgate_audit_unstored_total",
    help: "Audit entries that were not stored in audit.station, because too many waited or the topic refused them.",
    registers: [registry],
  });
  return {
    auditUnstored: (entries) => {
      unstored.inc(entries);
    },
  };
};

/** The metrics of a main process that serves nothing itself. They are added to those of its workers. */
export const createSupervisorMetrics = (): ReloadMetrics &
  AuditMetrics &
  Pick<SpoolMetrics, "spoolFrom"> & {
    readonly samples: () => ReturnType<Registry["getMetricsAsJSON"]>;
  } => {
  const registry = new Registry();
  return {
    ...reloadMetrics(registry),
    ...auditMetrics(registry),
    ...spoolMetrics(registry),
    samples: () => registry.getMetricsAsJSON(),
  };
};
