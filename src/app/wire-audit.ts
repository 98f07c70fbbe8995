/** The audit: its lines in the log, and its entries in the station of the settings. */
import type { Broker } from "../broker/broker.ts";
import type { Settings } from "../config/schema/schema.ts";
import { type AuditStation, createAuditStation } from "../ingest/audit-station.ts";
import type { Clock } from "../lib/clock.ts";
import { type Audit, createAudit } from "../observability/audit.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { AppLog } from "./context.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { auditTopicOf } from "./wire-ingest.ts";

interface AuditParts {
  readonly clock: Clock;
  readonly log: AppLog;
  readonly metrics: Metrics;
  readonly lifecycle: Lifecycle;
  readonly broker: Broker;
}

/** The audit of a process. It stays the same when the settings change. */
export interface ProcessAudit extends Audit {
  /** Stores further entries in the station of these settings. */
  apply(settings: Settings): void;
}

export const openAudit = (settings: Settings, parts: AuditParts): ProcessAudit => {
  const { clock, log, lifecycle } = parts;
  let station = openStation(settings, parts);
  const audit = createAudit({
    write: log.always,
    store: (line) => {
      station?.add(line);
    },
    now: () => clock.now(),
  });
  let current = storedIn(settings);
  lifecycle.onClose("audit", async () => station?.close());
  return {
    ...audit,
    apply: (next) => {
      if (storedIn(next) === current) return;
      current = storedIn(next);
      void station?.close();
      station = openStation(next, parts);
    },
  };
};

const mayCreate = ({ audit, stations, provisionTopics, autoCreateStations }: Settings): boolean =>
  stations.some(({ name }) => name === audit.station) ? provisionTopics : autoCreateStations;

/** Changes with the settings that decide where entries are stored. */
const storedIn = (settings: Settings): string =>
  JSON.stringify([settings.audit.station, auditTopicOf(settings), mayCreate(settings)]);

const openStation = (settings: Settings, parts: AuditParts): AuditStation | undefined => {
  const topic = auditTopicOf(settings);
  if (settings.audit.station === undefined || topic === undefined) return undefined;
  const { broker, clock, log, metrics } = parts;
  return createAuditStation({
    ...{ station: settings.audit.station, topic, mayCreate: mayCreate(settings) },
    ...{ broker, clock, logger: log.logger },
    unstored: (entries) => {
      metrics.auditUnstored(entries);
    },
  });
};
