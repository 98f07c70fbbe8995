/** Consumers while the broker, the topic or the group changes. */
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
import type { TcpProxy } from "../../support/kafka/proxy.ts";
import { startProxiedKafka, type KafkaServer, type ProxiedKafka } from "../../support/kafka/server.ts";
import { numbered, record } from "../conformance/tools.ts";
import type { KafkaOptions } from "../../../src/broker/kafka/options.ts";
import { partitionId } from "../../../src/broker/partitions.ts";
import { kafkaOptions, READERS } from "./options.ts";

const SESSION_TIMEOUT = 3000;

/** Handlers that keep their arguments. */
const listener = () => {
  const values: string[] = [];
  const assignments: (readonly TopicPartition[])[] = [];
  const errors: GatewayError[] = [];
  const held = new Set<string>();
  const handlers: SubscriptionHandlers = {
    onRecords: (records: readonly ConsumedRecord[]) => {
      values.push(...records.map(({ value }) => String(value)));
    },
    onAssigned: (partitions) => {
      assignments.push(partitions);
      for (const partition of partitions) held.add(partitionId(partition));
    },
    onRevoked: (partitions) => {
      for (const partition of partitions) held.delete(partitionId(partition));
      return Promise.resolve();
    },
    onError: (error) => {
      errors.push(error);
    },
  };
  return { values, assignments, errors, held, handlers };
};

type Reading = Partial<KafkaOptions>;

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await sleep(20);
};

describeOwnKafka("a subscription to Kafka", () => {
  let own: ProxiedKafka;
  let kafka: KafkaServer;
  let proxy: TcpProxy;
  let broker: Broker;

  beforeAll(async () => {
    own = await startProxiedKafka();
    ({ kafka, proxy } = own);
  }, 120_000);

  const opened = async (address: string, reading: Reading): Promise<Broker> => {
    const options = { ...reading, deliveryTimeout: 20_000, sessionTimeout: SESSION_TIMEOUT };
    const created = createKafkaBroker(kafkaOptions([address], options));
    await created.open();
    return created;
  };

  afterEach(async () => {
    own.reconnect();
    await kafka.heal();
    await broker.close();
  }, 120_000);

  afterAll(async () => {
    await own.stop();
  });

  const newTopic = async (partitions: number): Promise<string> => {
    const topic = uniqueName("consumed");
    await broker.ensureTopic({ name: topic, partitions });
    return topic;
  };

  const join = (topic: string, group: string, handlers: SubscriptionHandlers): Promise<Subscription> =>
    broker.subscribe({ group, topics: [topic], from: "earliest" }, handlers);

  describe.each(READERS)("with a group, read by %s", (_, reading) => {
    beforeEach(async () => {
      broker = await opened(kafka.brokers[0] ?? "", reading);
    });

    it("stays a member while all partitions are paused for longer than a session", async () => {
      const topic = await newTopic(2);
      const { values, assignments, errors, handlers } = listener();
      const subscription = await join(topic, uniqueName("paused"), handlers);
      await until(() => assignments.length > 0);
      // The group's coordinator may still load while the member joins, which is an error.
      const whileJoining = errors.length;
      subscription.pause(subscription.assignment);
      await sleep(SESSION_TIMEOUT + 2500);
      await broker.append(topic, [record("a")]);
      expect(values).toEqual([]);
      subscription.resume(subscription.assignment);
      await until(() => values.length > 0);

      expect(values).toEqual(["a"]);
      expect(assignments).toHaveLength(1);
      expect(errors.slice(whileJoining)).toEqual([]);
    }, 40_000);

    it("takes over the partitions of a member that lost its connection", async () => {
      const topic = await newTopic(4);
      const group = uniqueName("vanished");
      const vanishing = await opened(proxy.address, reading);
      const first = listener();
      await vanishing.subscribe({ group, topics: [topic], from: "earliest" }, first.handlers);
      await until(() => first.held.size === 4);
      const second = listener();
      await join(topic, group, second.handlers);
      await until(() => first.held.size === 2 && second.held.size === 2);
      proxy.refuse();
      await until(() => second.held.size === 4);
      own.reconnect();
      await vanishing.close();
      // The session timeout, and the time of the rebalance.
    }, 35_000);

    it("reads and commits again after a restart of the broker", async () => {
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

    it("accepts pause, resume and seek at any time, and commits only as a member", async () => {
      const topic = await newTopic(1);
      const member = await opened(proxy.address, reading);
      const { assignments, errors, handlers } = listener();
      const group = uniqueName("steered");
      const subscription = await member.subscribe({ group, topics: [topic], from: "earliest" }, handlers);
      await until(() => assignments.length > 0);
      const held = subscription.assignment;
      const endings = new Set<string>();
      const steer = async (): Promise<void> => {
        subscription.pause(held);
        subscription.seek({ topic, partition: 0, offset: 0n });
        subscription.resume(held);
        await subscription.commit([{ topic, partition: 0, offset: 0n }]).then(
          () => endings.add("made"),
          (error: unknown) => endings.add((error as GatewayError).code),
        );
      };
      proxy.refuse();
      while (errors.length === 0) {
        await steer();
        await sleep(1);
      }
      own.reconnect();
      // A member of kafkajs joins again, the gateway's own goes on.
      while (assignments.length === 1 && !endings.has("made")) {
        await steer();
        await sleep(1);
      }
      const stored = endings.has("made") ? [{ topic, partition: 0, offset: 0n }] : [];

      endings.delete("made");
      expect([...endings]).toEqual(["BROKER_UNAVAILABLE"]);
      expect(await broker.committed(group, topic)).toEqual(stored);
      await member.close();
    }, 40_000);

    it("waits for onRevoked before a partition is reassigned, and stores its commit", async () => {
      const topic = await newTopic(2);
      const group = uniqueName("revoked");
      const first = listener();
      const commits: Promise<void>[] = [];
      const finish = async (partitions: readonly TopicPartition[]): Promise<void> => {
        await sleep(1500);
        const all = Promise.all(partitions.map((one) => subscription.commit([{ ...one, offset: 3n }]))).then(
          () => undefined,
        );
        commits.push(all);
        await all;
      };
      const subscription: Subscription = await join(topic, group, { ...first.handlers, onRevoked: finish });
      await broker.append(topic, [...numbered(3, 0), ...numbered(3, 1)]);
      await until(() => first.values.length === 6);
      const second = listener();
      await join(topic, group, second.handlers);
      await until(() => second.assignments.at(-1)?.length === 1);
      await broker.append(topic, [record("new", { partition: 0 }), record("new", { partition: 1 })]);
      await until(() => first.values.length + second.values.length >= 8);

      expect(commits).toHaveLength(1);
      await expect(commits[0]).resolves.toBeUndefined();
      expect(second.values).toEqual(["new"]);
      expect(first.values.slice(6)).toEqual(["new"]);
    }, 40_000);

    it("waits for a topic that doesn't exist yet, and reports STATION_UNKNOWN", async () => {
      const topic = uniqueName("later");
      const { values, errors, handlers } = listener();
      await join(topic, uniqueName("early"), handlers);
      await until(() => errors.length > 0);
      await broker.ensureTopic({ name: topic, partitions: 1 });
      await broker.append(topic, [record("a")]);
      await until(() => values.length > 0);

      expect(values).toEqual(["a"]);
      expect(errors.map(({ code }) => code)).toEqual(["STATION_UNKNOWN"]);
    }, 40_000);
  });

  // Without a group there is no group protocol.
  describe.each(READERS.slice(0, 2))("without a group, read by %s", (_, reading) => {
    beforeEach(async () => {
      broker = await opened(kafka.brokers[0] ?? "", reading);
    });

    it.each([
      ["earliest", ["before"], ["before", "meanwhile", "after"]],
      ["latest", ["first"], ["first", "meanwhile", "after"]],
      ["latest", [], ["meanwhile", "after"]],
    ] as const)(
      "continues at its position after an outage, without a group, from %s, after %j",
      async (from, first, all) => {
        const topic = await newTopic(1);
        await broker.append(topic, from === "earliest" ? [record("before")] : [record("skipped")]);
        const apart = await opened(proxy.address, reading);
        const { values, assignments, errors, handlers } = listener();
        await apart.subscribe({ topics: [topic], from }, handlers);
        await until(() => assignments.length > 0);
        if (from === "latest" && first.length > 0) await broker.append(topic, [record("first")]);
        await until(() => values.length === first.length);
        proxy.refuse();
        await until(() => errors.length > 0);
        await broker.append(topic, [record("meanwhile")]);
        own.reconnect();
        await until(() => values.includes("meanwhile"));
        await broker.append(topic, [record("after")]);
        await until(() => values.includes("after"));

        expect(values).toEqual(all);
        await apart.close();
      },
      40_000,
    );
  });

  it("deletes the group that kafkajs needs without a group, at its end", async () => {
    broker = await opened(kafka.brokers[0] ?? "", {});
    const topic = await newTopic(1);
    const admin = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const readers = async (): Promise<readonly string[]> =>
      (await admin.listGroups()).groups
        .map(({ groupId }) => groupId)
        .filter((groupId) => groupId.startsWith("stationgate-reader-"));
    const before = await readers();
    const { values, handlers } = listener();
    const reader = await broker.subscribe({ topics: [topic], from: "earliest" }, handlers);
    await broker.append(topic, [record("a")]);
    await until(() => values.length > 0);
    const during = await readers();
    await reader.close();
    const after = await readers();
    await admin.disconnect();

    expect(during.filter((group) => !before.includes(group))).toHaveLength(1);
    expect(after.filter((group) => !before.includes(group))).toEqual([]);
  }, 40_000);
});
