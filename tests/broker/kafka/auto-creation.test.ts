/** Topics that are deleted and created again while the gateway runs, on a Kafka with automatic topic creation. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Admin, Kafka, logLevel } from "kafkajs";
import type { Broker, BrokerRecord } from "../../../src/broker/broker.ts";
import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import type { KafkaOptions } from "../../../src/broker/kafka/options.ts";
import { describeOwnKafka, uniqueName } from "../../support/kafka/describe.ts";
import { startKafka, type KafkaServer } from "../../support/kafka/server.ts";
import { record, store } from "../conformance/tools.ts";
import { kafkaOptions, WRITERS } from "./options.ts";

describeOwnKafka("deleted and recreated topics", () => {
  let kafka: KafkaServer;
  let admin: Admin;
  beforeAll(async () => {
    kafka = await startKafka({ properties: { "auto.create.topics.enable": "true" } });
    admin = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
  }, 120_000);
  afterAll(async () => {
    await admin.disconnect();
    await kafka.stop();
  });

  const topics = (): Promise<readonly string[]> => admin.listTopics();

  const remove = async (topic: string): Promise<void> => {
    await admin.deleteTopics({ topics: [topic] });
    while ((await topics()).includes(topic)) await sleep(50);
  };

  const opened = async (options: Partial<KafkaOptions>): Promise<Broker> => {
    const broker = createKafkaBroker(kafkaOptions(kafka.brokers, options));
    await broker.open();
    return broker;
  };

  it.each(WRITERS)(
    "are not created by appends, subscriptions and queries (%s)",
    async (_, options) => {
      const broker = await opened(options);
      const topic = uniqueName("deleted");
      await broker.ensureTopic({ name: topic, partitions: 2 });
      await store(broker, topic, [record("a", { partition: 0 })]);
      const reader = await broker.subscribe(
        { topics: [topic], from: "earliest" },
        { onRecords: () => undefined },
      );
      await remove(topic);

      for (let turn = 0; turn < 3; turn += 1) {
        expect(await broker.append(topic, [record("b")])).toMatchObject([
          { error: { code: "STATION_UNKNOWN" } },
        ]);
        expect(await broker.topic(topic)).toBeUndefined();
        await expect(broker.watermarks(topic)).rejects.toMatchObject({ code: "STATION_UNKNOWN" });
        await broker.committed("a-group", topic);
      }
      const never = uniqueName("never");
      expect(await broker.append(never, [record("b")])).toMatchObject([
        { error: { code: "STATION_UNKNOWN" } },
      ]);
      const waiting = await broker
        .subscribe(
          { group: uniqueName("g"), topics: [never], from: "earliest" },
          { onRecords: () => undefined },
        )
        .catch(() => undefined);
      await sleep(1000);
      await waiting?.close();
      await reader.close();
      await broker.close();
      expect((await topics()).filter((name) => [topic, never].includes(name))).toEqual([]);
    },
    60_000,
  );

  /** Appends the records, and once more those with BROKER_UNAVAILABLE, because the first append notices a missing partition. */
  const appendAll = async (
    broker: Broker,
    topic: string,
    records: readonly BrokerRecord[],
  ): Promise<void> => {
    const outcomes = await broker.append(topic, records);
    const again = records.filter((_, i) => outcomes[i]?.status !== "stored");
    for (const outcome of outcomes) {
      if (outcome.status === "failed") expect(outcome.error.code).toBe("BROKER_UNAVAILABLE");
    }
    if (again.length > 0) await store(broker, topic, again);
  };

  it.each(WRITERS)(
    "store records from offset 0 on, in the new number of partitions (%s)",
    async (_, options) => {
      const broker = await opened(options);
      const topic = uniqueName("again");
      await broker.ensureTopic({ name: topic, partitions: 2 });
      for (let turn = 0; turn < 5; turn += 1)
        await store(broker, topic, [record("a", { partition: 0 }), record("b", { partition: 1 })]);

      for (const numPartitions of [1, 4]) {
        await remove(topic);
        await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: true });
        expect(await broker.append(topic, [record("c", { partition: 0 })])).toMatchObject([
          { status: "stored", offset: 0n },
        ]);
        await appendAll(
          broker,
          topic,
          Array.from({ length: 40 }, (__, i) => record("d", { key: Buffer.from(String(i)) })),
        );
        // The first answer can come from metadata of the deleted topic.
        const ends = await broker.watermarks(topic).catch(() => broker.watermarks(topic));
        expect(ends).toHaveLength(numPartitions);
        expect(ends.reduce((sum, { high }) => sum + Number(high), 0)).toBe(41);
      }
      await broker.close();
    },
    60_000,
  );

  it("report an existing topic that is not compacted although compaction was requested", async () => {
    const broker = await opened({});
    const [theirs, ours] = [uniqueName("delete"), uniqueName("compact")];
    await admin.createTopics({ topics: [{ topic: theirs, numPartitions: 1 }], waitForLeaders: true });
    await broker.ensureTopic({ name: ours, compacted: true });

    expect(await broker.ensureTopic({ name: theirs, compacted: true })).toMatchObject({ compacted: false });
    expect(await broker.ensureTopic({ name: ours, compacted: true })).not.toHaveProperty("compacted");
    await broker.close();
  });
});
