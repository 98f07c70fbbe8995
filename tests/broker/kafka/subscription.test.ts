/** Consumers whose broker, topic or neighbour isn't what it was. */
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import type {
  Broker,
  ConsumedRecord,
  Subscription,
  SubscriptionHandlers,
  TopicPartition,
} from "../../../src/broker/broker.ts";
import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import type { GatewayError } from "../../../src/errors.ts";
import { describeOwnKafka, uniqueName } from "../../support/kafka/describe.ts";
import { startTcpProxy, type TcpProxy } from "../../support/kafka/proxy.ts";
import { startKafka, type KafkaServer } from "../../support/kafka/server.ts";
import { record } from "../conformance/tools.ts";
import { kafkaOptions } from "./options.ts";

const SESSION_TIMEOUT = 10_000;

/** Handlers that keep what they are told. */
const listener = () => {
  const values: string[] = [];
  const assignments: (readonly TopicPartition[])[] = [];
  const errors: GatewayError[] = [];
  const handlers: SubscriptionHandlers = {
    onRecords: (records: readonly ConsumedRecord[]) => {
      values.push(...records.map(({ value }) => String(value)));
    },
    onAssigned: (partitions) => {
      assignments.push(partitions);
    },
    onError: (error) => {
      errors.push(error);
    },
  };
  return { values, assignments, errors, handlers };
};

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await sleep(20);
};

describeOwnKafka("a subscription to Kafka", () => {
  let kafka: KafkaServer;
  let proxy: TcpProxy;
  let broker: Broker;

  beforeAll(async () => {
    proxy = await startTcpProxy();
    kafka = await startKafka({ proxyPort: proxy.port });
    proxy.forwardTo(kafka.listeners.get("PROXIED") ?? "");
  }, 120_000);

  beforeEach(async () => {
    broker = createKafkaBroker(kafkaOptions(kafka.brokers, { deliveryTimeout: 20_000 }));
    await broker.open();
  });

  afterEach(() => broker.close());

  afterAll(async () => {
    await proxy.stop();
    await kafka.stop();
  });

  const newTopic = async (partitions: number): Promise<string> => {
    const topic = uniqueName("consumed");
    await broker.ensureTopic({ name: topic, partitions });
    return topic;
  };

  const join = (topic: string, group: string, handlers: SubscriptionHandlers): Promise<Subscription> =>
    broker.subscribe({ group, topics: [topic], from: "earliest" }, handlers);

  it("stays a member while everything is paused for longer than a session", async () => {
    const topic = await newTopic(2);
    const { values, assignments, errors, handlers } = listener();
    const subscription = await join(topic, uniqueName("paused"), handlers);
    await until(() => assignments.length > 0);
    subscription.pause(subscription.assignment);
    await sleep(SESSION_TIMEOUT + 2500);
    await broker.append(topic, [record("a")]);
    expect(values).toEqual([]);
    subscription.resume(subscription.assignment);
    await until(() => values.length > 0);

    expect(values).toEqual(["a"]);
    expect(assignments).toHaveLength(1);
    expect(errors).toEqual([]);
  }, 40_000);

  it("takes over the partitions of one that has vanished without a word", async () => {
    const topic = await newTopic(4);
    const group = uniqueName("vanished");
    const vanishing = createKafkaBroker(kafkaOptions([proxy.address]));
    await vanishing.open();
    const first = listener();
    await vanishing.subscribe({ group, topics: [topic], from: "earliest" }, first.handlers);
    await until(() => first.assignments.at(-1)?.length === 4);
    const second = listener();
    await join(topic, group, second.handlers);
    await until(() => first.assignments.at(-1)?.length === 2 && second.assignments.at(-1)?.length === 2);
    proxy.refuse();
    await until(() => second.assignments.at(-1)?.length === 4);
    proxy.forwardTo(kafka.listeners.get("PROXIED") ?? "");
    await vanishing.close();
    // A session of ten seconds, and the time in which the others come together again.
  }, 35_000);

  it("comes back by itself after a restart of the broker, and commits", async () => {
    const topic = await newTopic(1);
    const group = uniqueName("restarted");
    const { values, errors, handlers } = listener();
    const subscription = await join(topic, group, handlers);
    await broker.append(topic, [record("before")]);
    await until(() => values.includes("before"));
    await subscription.commit([{ topic, partition: 0, offset: 1n }]);
    await kafka.kill();
    await until(() => errors.length > 0);
    await expect(subscription.commit([{ topic, partition: 0, offset: 1n }])).rejects.toMatchObject({
      code: "BROKER_UNAVAILABLE",
    });
    await kafka.start();
    await broker.append(topic, [record("after")]);
    await until(() => values.includes("after"));
    await until(() => subscription.assignment.length === 1);
    await subscription.commit([{ topic, partition: 0, offset: 2n }]);

    expect(await broker.committed(group, topic)).toEqual([{ topic, partition: 0, offset: 2n }]);
    expect(values).toEqual(["before", "after"]);
  }, 90_000);

  it("waits for a topic that doesn't exist yet, and says so", async () => {
    const topic = uniqueName("later");
    const { values, errors, handlers } = listener();
    await join(topic, uniqueName("early"), handlers);
    await until(() => errors.length > 0);
    await broker.ensureTopic({ name: topic, partitions: 1 });
    await broker.append(topic, [record("a")]);
    await until(() => values.length > 0);

    expect(values).toEqual(["a"]);
    expect(errors.every(({ code }) => code === "BROKER_UNAVAILABLE")).toBe(true);
  }, 40_000);

  it("leaves no group behind where it had none of its own", async () => {
    const topic = await newTopic(1);
    const { values, handlers } = listener();
    const reader = await broker.subscribe({ topics: [topic], from: "earliest" }, handlers);
    await broker.append(topic, [record("a")]);
    await until(() => values.length > 0);
    await reader.close();
    const admin = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const { groups } = await admin.listGroups();
    await admin.disconnect();

    expect(groups.filter(({ groupId }) => groupId.startsWith("stationgate-reader-"))).toEqual([]);
  }, 40_000);
});
