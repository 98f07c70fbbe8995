import type { DeliveryMetrics } from "../../observability/delivery-metrics.ts";
import type { Logger } from "../../observability/logger.ts";
import type { AttemptReport, DeliveryObserver } from "./observer.ts";

export interface ObserveOptions {
  readonly logger: Pick<Logger, "info" | "warn" | "error">;
  readonly metrics: Pick<DeliveryMetrics, "attemptEnded" | "recordDropped">;
}

const lineOf = (report: AttemptReport): Record<string, unknown> => ({
  connector: report.connector,
  topic: report.topic,
  partition: report.partition,
  offset: report.offset.toString(),
  attempt: report.attempt,
  outcome: report.outcome,
  status: report.status,
  error: report.error,
  duration_ms: report.durationMs,
  retry_in_ms: report.retryInMs,
});

/** One log line and one count an attempt. Only a task that stopped is an error: nobody but an operator starts it again. */
export const observeDeliveries = ({ logger, metrics }: ObserveOptions): DeliveryObserver => ({
  attempted: (report) => {
    metrics.attemptEnded(report.connector, report.outcome, report.durationMs / 1000);
    if (report.outcome === "stopped") logger.error(lineOf(report), "delivery stopped");
    else logger.info(lineOf(report), "delivery attempt");
  },
  dropped: (connector, { topic, partition, offset }, deadLettered) => {
    metrics.recordDropped(connector, deadLettered);
    logger.warn({ connector, topic, partition, offset: offset.toString(), deadLettered }, "record dropped");
  },
  fault: (connector, error) => {
    logger.warn({ connector, code: error.code, err: error }, "delivery fault");
  },
});
