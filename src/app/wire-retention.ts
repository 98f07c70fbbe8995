/** Retention of the embedded log: the settings, the records that connectors have not finished, log lines and metrics. */
import type { Broker, TopicPartition } from "../broker/broker.ts";
import type { RetentionOptions } from "../broker/embedded/retention.ts";
import type { Settings } from "../config/schema/schema.ts";
import { createUnfinished } from "../delivery/connectors/unfinished.ts";
import type { LastingContext } from "./context.ts";
import { createFaultLog } from "./fault-log.ts";

export interface OpenRetention {
  readonly options: RetentionOptions;
  /** From now on this decides which records must stay. Before, all must stay. */
  readonly holdFrom: (heldFrom: RetentionOptions["heldFrom"]) => void;
}

const limitOf = (setting: number | "none"): number | undefined => (setting === "none" ? undefined : setting);

export const openRetention = (
  { broker }: Settings,
  { log, clock, metrics }: Pick<LastingContext, "log" | "clock" | "metrics">,
): OpenRetention => {
  const { age, bytes } = broker.embedded.retention;
  let heldFrom = (_of: TopicPartition): Promise<bigint | undefined> => Promise.resolve(0n);
  return {
    options: {
      ...{ age: limitOf(age), bytes: limitOf(bytes) },
      heldFrom: (of) => heldFrom(of),
      onFreed: (freed) => {
        metrics.recordsFreed(freed);
      },
      onHeld: (partitions) => {
        metrics.partitionsHeld(partitions);
      },
      onError: createFaultLog(log.named("broker"), clock, "old records can't be freed now"),
    },
    holdFrom: (given) => {
      heldFrom = given;
    },
  };
};

interface Delivery {
  readonly heldFrom: (of: TopicPartition) => Promise<bigint | undefined>;
}

/** `delivery` undefined: this process has not the role. It then knows only the connectors of the settings file. */
export const heldByConnectors = (
  { broker: { embedded }, connectors }: Settings,
  broker: Broker,
  delivery: Delivery | undefined,
): RetentionOptions["heldFrom"] => {
  if (!embedded.retention.waitForConnectors) return () => Promise.resolve(undefined);
  return delivery?.heldFrom ?? createUnfinished(broker, () => connectors).from;
};
