/** Options of the Kafka adapter for tests, with short times. */
import type { KafkaOptions } from "../../../src/broker/kafka/options.ts";

export const kafkaOptions = (
  brokers: readonly string[],
  changes: Partial<KafkaOptions> = {},
): KafkaOptions => ({
  brokers,
  clientId: "stationgate-tests",
  ssl: undefined,
  sasl: undefined,
  compression: "none",
  idempotent: false,
  producer: "kafkajs",
  connectTimeout: 1000,
  requestTimeout: 3000,
  deliveryTimeout: 5000,
  ...changes,
});

/** All producers by name. kafkajs has no idempotent producer. */
export const WRITERS: readonly (readonly [string, Pick<KafkaOptions, "producer" | "idempotent">])[] = [
  ["kafkajs", { producer: "kafkajs", idempotent: false }],
  ["platformatic", { producer: "platformatic", idempotent: false }],
  ["platformatic, idempotent", { producer: "platformatic", idempotent: true }],
];
