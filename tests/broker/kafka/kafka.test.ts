import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import { describeKafka } from "../../support/kafka/describe.ts";
import { describeBroker } from "../conformance.ts";
import { kafkaOptions, WRITERS } from "./options.ts";

for (const [writer, settings] of WRITERS) {
  const name = `Kafka, written by ${writer}`;
  describeKafka(name, (kafka) => {
    describeBroker(name, async () => {
      const broker = createKafkaBroker(kafkaOptions(kafka.brokers, settings));
      await broker.open();
      return { broker, close: () => broker.close() };
    });
  });
}
