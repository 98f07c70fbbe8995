/** What can be seen of deliveries: for log lines and metrics, which this folder knows nothing of. */
import type { TopicPartitionOffset } from "../../broker/broker.ts";
import type { GatewayError } from "../../errors.ts";

export type AttemptOutcome = "delivered" | "retry" | "dropped" | "stopped";

export interface AttemptReport extends TopicPartitionOffset {
  readonly connector: string;
  /** Counts from 1 for each record. */
  readonly attempt: number;
  readonly outcome: AttemptOutcome;
  readonly status: number | undefined;
  readonly error: string | undefined;
  readonly durationMs: number;
  /** Milliseconds to the next attempt, where the outcome is `retry`. */
  readonly retryInMs: number | undefined;
}

export interface DeliveryObserver {
  /** Once an attempt, when it is known what follows. */
  attempted(report: AttemptReport): void;
  /** A record was given up; `deadLettered`: it is stored in the dead letter topic. */
  dropped(connector: string, record: TopicPartitionOffset, deadLettered: boolean): void;
  /** Something that deliveries go on from by themselves. */
  fault(connector: string, error: GatewayError): void;
}
