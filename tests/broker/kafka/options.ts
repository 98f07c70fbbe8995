/** Options of the Kafka adapter for tests, with short times. */
import { createKafkaClient } from "../../../src/broker/kafka/client.ts";
import { createKafkaJsProducer } from "../../../src/broker/kafka/kafkajs-producer.ts";
import type { KafkaOptions } from "../../../src/broker/kafka/options.ts";
import { createPlatformaticProducer } from "../../../src/broker/kafka/platformatic-producer.ts";
import type { SendResult } from "../../../src/broker/kafka/producer.ts";
import { record } from "../conformance/tools.ts";

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
  consumer: "kafkajs",
  groupProtocol: "classic",
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

/** All members of subscriptions by name. */
export const READERS: readonly (readonly [string, Pick<KafkaOptions, "consumer" | "groupProtocol">])[] = [
  ["kafkajs", { consumer: "kafkajs", groupProtocol: "classic" }],
  ["platformatic, classic", { consumer: "platformatic", groupProtocol: "classic" }],
  ["platformatic, consumer", { consumer: "platformatic", groupProtocol: "consumer" }],
];

/** The result of the producer itself. The broker doesn't call it while the topic is unknown. */
export const sendOnce = async (options: KafkaOptions): Promise<readonly SendResult[]> => {
  const first = () => Promise.resolve(options.brokers[0] ?? "");
  const producer =
    options.producer === "kafkajs"
      ? createKafkaJsProducer(createKafkaClient(options, first), options)
      : createPlatformaticProducer(options);
  const results = await producer.send("anything", [{ partition: 0, records: [record("a")] }]);
  await producer.close();
  return results;
};
