/** Stores dead letters and reports. Tries again until they are stored, are refused permanently, or aren't needed any more. */
import type { Broker, BrokerRecord, TopicSpec } from "../../broker/broker.ts";
import { asGatewayError, GatewayError, type ErrorCode } from "../../errors.ts";
import { pause, type Clock } from "../../lib/clock.ts";
import type { DeliveryPlan } from "./delivery-plan.ts";
import type { DeliveryObserver } from "./observer.ts";

/** Stores the records, and creates a missing topic. Returns the records that are not stored, with the first error. */
const store = async (
  broker: Broker,
  topic: TopicSpec,
  records: readonly BrokerRecord[],
): Promise<{ readonly left: readonly BrokerRecord[]; readonly error: GatewayError | undefined }> => {
  let outcomes = await broker.append(topic.name, records);
  const isMissing = outcomes.every(
    (outcome) => outcome.status === "failed" && outcome.error.code === "STATION_UNKNOWN",
  );
  if (isMissing) {
    await broker.ensureTopic(topic);
    outcomes = await broker.append(topic.name, records);
  }
  const errors = outcomes.map((outcome) => (outcome.status === "failed" ? outcome.error : undefined));
  return {
    left: records.filter((_, index) => outcomes[index]?.status !== "stored"),
    error: errors.find((error) => error !== undefined),
  };
};

/** Errors that a retry can't solve, and what the operator can do. */
const PERMANENT: Partial<Record<ErrorCode, string>> = {
  RECORD_TOO_LARGE: "it is larger than the topic takes; raise the topic's max.message.bytes",
  RECORD_REFUSED: "the topic does not take its key or its timestamp",
  TOPIC_REFUSED:
    "Kafka refuses the topic to the gateway; grant the rights to write and create it, or correct its name",
};

/** Waits between tries, in milliseconds. The last wait repeats. */
const AGAIN_MS = [250, 500, 1000, 2000, 5000];

export interface StoringOptions {
  readonly broker: Broker;
  readonly plan: DeliveryPlan;
  readonly clock: Clock;
  readonly observer: DeliveryObserver;
}

export type StoreEnd =
  | { readonly action: "stored" }
  /** The partition was revoked, so its next owner must handle the records. */
  | { readonly action: "abandoned" }
  /** The records can't be stored until an operator acts. */
  | { readonly action: "refused"; readonly why: string };

/** Makes at least one try, even if the partition is being revoked: the revocation waits for records in hand. */
export const storeUntilDone = async (
  { broker, plan, clock, observer }: StoringOptions,
  topic: TopicSpec,
  recordsOf: () => readonly BrokerRecord[],
  abandoned: () => boolean,
): Promise<StoreEnd> => {
  let records: readonly BrokerRecord[] | undefined;
  for (let tries = 0; tries === 0 || !abandoned(); tries += 1) {
    try {
      records ??= recordsOf();
      const { left, error } = await store(broker, topic, records);
      if (left.length === 0) return { action: "stored" };
      records = left;
      throw error ?? new GatewayError("BROKER_UNAVAILABLE");
    } catch (error) {
      const fault = asGatewayError(error);
      observer.fault(plan.name, fault);
      const why = PERMANENT[fault.code];
      if (why !== undefined) return { action: "refused", why };
    }
    await pause(clock, AGAIN_MS[Math.min(tries, AGAIN_MS.length - 1)] ?? 0);
  }
  return { action: "abandoned" };
};
