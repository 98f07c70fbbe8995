/** Metrics of the sign-in to Kafka. */
import { Counter, type Registry } from "prom-client";

const OUTCOMES = ["ok", "failed"] as const;

export interface KafkaMetrics {
  kafkaTokenFetched(outcome: (typeof OUTCOMES)[number]): void;
}

export const kafkaMetrics = (registry: Registry): KafkaMetrics => {
  const fetches = new Counter({
    name: "stationgate_kafka_token_fetches_total",
    help: `Fetches of a token for Kafka, from a file, a token endpoint or AWS, by outcome: ${OUTCOMES.join(", ")}.`,
    labelNames: ["outcome"],
    registers: [registry],
  });
  for (const outcome of OUTCOMES) fetches.inc({ outcome }, 0);
  return {
    kafkaTokenFetched: (outcome) => {
      fetches.inc({ outcome });
    },
  };
};
