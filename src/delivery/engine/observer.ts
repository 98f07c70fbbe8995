/** Reports of deliveries: to log lines and metrics, and as the newest failures of each connector. */
import { LRUCache } from "lru-cache";
import type { TopicPartitionOffset } from "../../broker/broker.ts";
import type { GatewayError } from "../../errors.ts";
import type { DeliveryMetrics } from "../../observability/delivery-metrics.ts";
import type { Logger } from "../../observability/logger/logger.ts";

export type AttemptOutcome = "delivered" | "retry" | "dropped" | "stopped";

export interface AttemptReport extends TopicPartitionOffset {
  readonly connector: string;
  /** Number of records in the batch, of which the position is the first. Absent: the record was sent alone. */
  readonly records?: number;
  /** Number of the attempt, from 1 for each record. */
  readonly attempt: number;
  readonly outcome: AttemptOutcome;
  readonly status: number | undefined;
  readonly error: string | undefined;
  readonly durationMs: number;
  /** Milliseconds until the next attempt, if the outcome is `retry`. */
  readonly retryInMs: number | undefined;
}

export interface DeliveryObserver {
  /** Called once per attempt, when the next step is known. */
  attempted(report: AttemptReport): void;
  /** A record was dropped. `deadLettered`: it is stored in the dead letter topic. */
  dropped(connector: string, record: TopicPartitionOffset, deadLettered: boolean): void;
  /** A record was skipped, and its connector wants a log line. */
  skipped(connector: string, record: TopicPartitionOffset, reason: string): void;
  /** A fault after which the deliveries continue by themselves. */
  fault(connector: string, error: GatewayError): void;
}

interface ObserveOptions {
  readonly logger: Pick<Logger, "info" | "warn" | "error">;
  /** Whether lines of this level are written for the connector. Absent: the logger decides. */
  readonly isLogged?: (connector: string, level: "info" | "warn" | "error") => boolean;
  readonly metrics: Pick<DeliveryMetrics, "attemptEnded" | "recordDropped">;
}

const lineOf = (report: AttemptReport): Record<string, unknown> => ({
  connector: report.connector,
  topic: report.topic,
  partition: report.partition,
  offset: report.offset.toString(),
  ...(report.records !== undefined && { records: report.records }),
  attempt: report.attempt,
  outcome: report.outcome,
  status: report.status,
  error: report.error,
  duration_ms: report.durationMs,
  retry_in_ms: report.retryInMs,
});

/** Writes one log line and counts one metric per attempt. Only a stopped task has level error, because an operator must restart it. */
export const observeDeliveries = ({
  logger,
  metrics,
  isLogged = () => true,
}: ObserveOptions): DeliveryObserver => ({
  attempted: (report) => {
    const { connector, outcome } = report;
    metrics.attemptEnded(connector, outcome, report.durationMs / 1000);
    const level = outcome === "stopped" ? "error" : "info";
    if (!isLogged(connector, level)) return;
    logger[level](lineOf(report), outcome === "stopped" ? "delivery stopped" : "delivery attempt");
  },
  dropped: (connector, { topic, partition, offset }, deadLettered) => {
    metrics.recordDropped(connector, deadLettered);
    if (!isLogged(connector, "warn")) return;
    logger.warn({ connector, topic, partition, offset: offset.toString(), deadLettered }, "record dropped");
  },
  skipped: (connector, { topic, partition, offset }, reason) => {
    if (!isLogged(connector, "warn")) return;
    logger.warn({ connector, topic, partition, offset: offset.toString(), reason }, "record skipped");
  },
  fault: (connector, error) => {
    if (!isLogged(connector, "warn")) return;
    logger.warn({ connector, code: error.code, err: error }, "delivery fault");
  },
});

export interface FailedAttempt extends AttemptReport {
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface RecentFailures {
  readonly attempted: DeliveryObserver["attempted"];
  /** The newest failed attempts of the connector in this process, newest first. */
  of(connector: string): readonly FailedAttempt[];
}

const KEPT = { connectors: 500, attempts: 20 };

/** Merges the failures of all processes, newest first, and keeps as many as one process keeps. */
export const newestOf = (all: readonly (readonly FailedAttempt[])[]): readonly FailedAttempt[] =>
  all
    .flat()
    .sort((one, other) => other.at - one.at)
    .slice(0, KEPT.attempts);

export const createRecentFailures = (now: () => number): RecentFailures => {
  const kept = new LRUCache<string, readonly FailedAttempt[]>({ max: KEPT.connectors });
  const of = (connector: string): readonly FailedAttempt[] => kept.get(connector) ?? [];
  return {
    of,
    attempted: (report) => {
      if (report.outcome === "delivered") return;
      const { connector } = report;
      kept.set(connector, [{ ...report, at: now() }, ...of(connector)].slice(0, KEPT.attempts));
    },
  };
};
