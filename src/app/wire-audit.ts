/** The audit: its lines in the log, and its entries in the station of the settings. */
import type { Broker } from "../broker/broker.ts";
import type { Settings } from "../config/schema/schema.ts";
import { type AuditTarget, createAuditStation } from "../ingest/audit-station.ts";
import type { Clock } from "../lib/clock.ts";
import { type AuditLine, createAudit, type StoredAudit } from "../observability/audit.ts";
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
export interface ProcessAudit extends StoredAudit {
  /** Stores further entries in the station of these settings. */
  apply(settings: Settings): void;
}

export const openAudit = (
  settings: Settings,
  { broker, clock, log, metrics, lifecycle }: AuditParts,
): ProcessAudit => {
  const station = createAuditStation({
    ...{ target: targetOf(settings), broker, clock, logger: log.logger },
    unstored: (entries) => {
      metrics.auditUnstored(entries);
    },
  });
  lifecycle.onClose("audit", () => station.close());
  const store = (line: AuditLine): void => {
    station.add(line);
  };
  return {
    ...createAudit({ write: log.always, store, now: () => clock.now() }),
    store,
    apply: (next) => {
      station.use(targetOf(next));
    },
  };
};

/** The station that stores entries. */
const targetOf = (settings: Settings): AuditTarget | undefined => {
  const { station } = settings.audit;
  const topic = auditTopicOf(settings);
  return station === undefined || topic === undefined
    ? undefined
    : { station, topic, mayCreate: mayCreate(settings) };
};

const mayCreate = ({ audit, stations, provisionTopics, autoCreateStations }: Settings): boolean =>
  stations.some(({ name }) => name === audit.station) ? provisionTopics : autoCreateStations;
