import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import { describeKafka } from "../../support/kafka/describe.ts";
import { describeBroker } from "../conformance.ts";
import { kafkaOptions, READERS, WRITERS } from "./options.ts";

// Writers and readers share no code above the connections, so each pair is tested once.
for (const [at, [reader, reading]] of READERS.entries()) {
  const [writer, writing] = WRITERS[at] ?? ["kafkajs", {}];
  const name = `Kafka, written by ${writer}, read by ${reader}`;
  describeKafka(name, (kafka) => {
    describeBroker(name, async () => {
      const broker = createKafkaBroker(kafkaOptions(kafka.brokers, { ...writing, ...reading }));
      await broker.open();
      return { broker, close: () => broker.close() };
    });
  });
}
