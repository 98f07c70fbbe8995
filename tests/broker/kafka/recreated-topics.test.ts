/** Topics that are deleted and created again while consumers read them. */
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel, type Admin } from "kafkajs";
import type { Broker, SubscribeOptions, Subscription } from "../../../src/broker/broker.ts";
import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import { describeKafka, uniqueName } from "../../support/kafka/describe.ts";
import { numbered, record } from "../conformance/tools.ts";
import { kafkaOptions } from "./options.ts";

describeKafka("a topic that is deleted while a consumer reads it", (kafka) => {
  let broker: Broker;
  let admin: Admin;
  let topic: string;

  beforeEach(async () => {
    broker = createKafkaBroker(kafkaOptions(kafka.brokers, { sessionTimeout: 6000 }));
    await broker.open();
    admin = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    topic = uniqueName("recreated");
    await create();
  });

  afterEach(async () => {
    await admin.disconnect();
    await broker.close();
  });

  const isListed = async (): Promise<boolean> => (await admin.listTopics()).includes(topic);

  /** Retries until the topic is listed: on a busy machine the answer to a creation may be late. */
  const create = async (): Promise<void> => {
    const topics = [{ topic, numPartitions: 1 }];
    do await admin.createTopics({ topics, waitForLeaders: true }).catch(() => false);
    while (!(await isListed()));
  };

  const remove = async (): Promise<void> => {
    await admin.deleteTopics({ topics: [topic] });
    while (await isListed()) await sleep(20);
  };

  const recreate = async (): Promise<void> => {
    await remove();
    await create();
  };

  interface Reading {
    readonly subscription: Subscription;
    readonly values: string[];
    readonly recreated: string[];
  }

  const read = async (options: Partial<SubscribeOptions>): Promise<Reading> => {
    const values: string[] = [];
    const recreated: string[] = [];
    const assigned: string[] = [];
    const subscription = await broker.subscribe(
      { topics: [topic], from: "earliest", ...options },
      {
        onAssigned: (partitions) => {
          assigned.push(...partitions.map((partition) => partition.topic));
        },
        onRecords: (records) => {
          values.push(...records.map(({ value }) => String(value)));
        },
        onRecreated: (name) => {
          recreated.push(name);
        },
      },
    );
    await until(() => assigned.length > 0);
    return { subscription, values, recreated };
  };

  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await sleep(20);
  };

  const store = async (prefix: string, count: number): Promise<void> => {
    for (;;) {
      const outcomes = await broker.append(topic, numbered(count, 0, prefix));
      if (outcomes.every(({ status }) => status === "stored")) return;
      await sleep(100);
    }
  };

  it.each(["earliest", "latest"] as const)(
    "is read from its beginning after its recreation, without a group, from %s",
    async (from) => {
      const reading = await read({ from });
      await broker.append(topic, [record("first"), record("second")]);
      await until(() => reading.values.length === 2);
      await recreate();
      await store("new-", 1);
      await until(() => reading.values.includes("new-0"));
      await reading.subscription.close();

      expect(reading.values).toEqual(["first", "second", "new-0"]);
      expect(reading.recreated).toEqual([topic]);
    },
    60_000,
  );

  it.each([
    ["fewer", 2],
    ["more", 9],
  ])(
    "is read from its beginning by a group with a committed position, with %s records than before",
    async (_, count) => {
      const group = uniqueName("group");
      const reading = await read({ group });
      await store("old-", 5);
      await until(() => reading.values.length === 5);
      await reading.subscription.commit([{ topic, partition: 0, offset: 5n }]);
      await recreate();
      await store("new-", count);
      await until(() => reading.values.includes(`new-${count - 1}`));
      await reading.subscription.commit([{ topic, partition: 0, offset: BigInt(count) }]);
      await reading.subscription.close();

      expect(reading.values.slice(5)).toEqual(Array.from({ length: count }, (_one, n) => `new-${n}`));
      expect(await broker.committed(group, topic)).toEqual([{ topic, partition: 0, offset: BigInt(count) }]);
    },
    60_000,
  );

  it("is waited for, and doesn't delay other topics", async () => {
    const kept = uniqueName("kept");
    await broker.ensureTopic({ name: kept, partitions: 1 });
    const reading = await read({ group: uniqueName("group"), topics: [topic, kept] });
    await store("old-", 1);
    await until(() => reading.values.length === 1);
    await remove();
    await sleep(2000);
    await broker.append(kept, [record("kept")]);
    await until(() => reading.values.includes("kept"));
    await create();
    await store("new-", 1);
    await until(() => reading.values.includes("new-0"));
    await reading.subscription.close();

    // Nothing was committed, so a record may be delivered again.
    expect([...new Set(reading.values)]).toEqual(["old-0", "kept", "new-0"]);
  }, 60_000);
});
