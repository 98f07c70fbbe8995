/** The topic refuses one record. Only this record fails, and the other records of the batch are stored. */
import type { Broker, BrokerRecord } from "../../../src/broker/broker.ts";
import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import { describeKafka, uniqueName } from "../../support/kafka/describe.ts";
import { readTopic } from "../../support/each-broker.ts";
import { record } from "../conformance/tools.ts";
import { kafkaOptions, WRITERS } from "./options.ts";

const DAY = 86_400_000;

const keyed = (value: string, more: Partial<BrokerRecord> = {}): BrokerRecord => ({
  ...record(value),
  key: Buffer.from(value),
  timestamp: Date.now(),
  partition: 0,
  ...more,
});

describeKafka("a record that the topic refuses", (kafka) => {
  let broker: Broker;

  afterEach(() => broker.close());

  describe.each(WRITERS)("written by %s", (_, settings) => {
    it.each<[string, Partial<BrokerRecord>]>([
      ["fails alone if it has no key and the topic is compacted", { key: null }],
      ["fails alone if its timestamp is in the future", { timestamp: Date.now() + 2 * DAY }],
    ])("%s", async (_fault, fault) => {
      const topic = uniqueName("refused");
      broker = createKafkaBroker(kafkaOptions(kafka.brokers, settings));
      await broker.open();
      await broker.ensureTopic({ name: topic, partitions: 1, compacted: true });
      const values = ["a", "b", "bad", "c", "d"];
      const outcomes = await broker.append(
        topic,
        values.map((value) => keyed(value, value === "bad" ? fault : {})),
      );
      const [later] = await broker.append(topic, [keyed("later")]);

      expect(
        outcomes.map((outcome) => (outcome.status === "stored" ? outcome.offset : outcome.error.code)),
      ).toEqual([0n, 1n, "RECORD_REFUSED", 2n, 3n]);
      expect(later).toMatchObject({ status: "stored", offset: 4n });
      const stored = (await readTopic(kafka.brokers, topic)).map(({ value }) => value.toString());
      expect(stored).toEqual(["a", "b", "c", "d", "later"]);
    });
  });
});
