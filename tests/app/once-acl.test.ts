/** The rights that the homes of ids need, on a real Kafka with ACLs. */
import {
  type Admin,
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from "kafkajs";
import { startGateway } from "../../src/app.ts";
import { whyWithoutHomes } from "../../src/app/once-rights.ts";
import type { Broker } from "../../src/broker/broker.ts";
import { createKafkaBroker } from "../../src/broker/kafka/kafka-broker.ts";
import { settingsSchema } from "../../src/config/schema/schema.ts";
import { createLog } from "../../src/observability/logger/logger.ts";
import { kafkaOptions } from "../broker/kafka/options.ts";
import { settingsOf } from "../config/support.ts";
import { describeOwnKafka, uniqueName } from "../support/kafka/describe.ts";
import { type KafkaServer, startKafka } from "../support/kafka/server.ts";

const PASSWORD = "correct-horse-battery";
const TIMEOUT = 60_000;

const { CREATE, READ, WRITE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS } = AclOperationTypes;
const ON_THE_TOPIC = [CREATE, READ, WRITE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS];

describeOwnKafka("the rights of a home of ids", () => {
  let kafka: KafkaServer;
  let admin: Admin;
  let broker: Broker;

  beforeAll(async () => {
    kafka = await startKafka({
      listeners: ["SASL_PLAINTEXT"],
      users: { alice: PASSWORD },
      properties: {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
      },
    });
    admin = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const sasl = { mechanism: "plain", username: "alice", password: PASSWORD } as const;
    broker = createKafkaBroker(kafkaOptions([kafka.listeners.get("SASL_PLAINTEXT") ?? ""], { sasl }));
    await broker.open();
  }, 120_000);

  afterAll(async () => {
    await broker.close();
    await admin.disconnect();
    await kafka.stop();
  });

  /** A new name of the topic, on which the gateway has these rights. */
  const topicWith = async (
    operations: readonly AclOperationTypes[],
    { ofGroup = [READ], prefix = "_" } = {},
  ): Promise<string> => {
    const topic = `${prefix}${uniqueName("stationgate")}`;
    const ofAlice = {
      principal: "User:alice",
      host: "*",
      permissionType: AclPermissionTypes.ALLOW,
      resourcePatternType: ResourcePatternTypes.LITERAL,
    };
    await admin.createAcls({
      acl: [
        ...operations.map((operation) => ({
          ...{ ...ofAlice, resourceType: AclResourceTypes.TOPIC, resourceName: topic, operation },
        })),
        ...ofGroup.map((operation) => ({
          ...{ ...ofAlice, resourceType: AclResourceTypes.GROUP, resourceName: topic.slice(1), operation },
        })),
      ],
    });
    return topic;
  };

  const why = (topic: string, ...topics: readonly string[]): Promise<string | undefined> => {
    const once = { topic, partitions: 2 };
    const stations = topics.map((ofStation, n) => ({ name: `station-${n}`, topic: ofStation }));
    const settings = settingsSchema.parse({ once, stations });
    return whyWithoutHomes(broker, settings, 5000);
  };

  it(
    "are enough",
    async () => {
      expect(await why(await topicWith(ON_THE_TOPIC))).toBeUndefined();
    },
    TIMEOUT,
  );

  /** AlterConfigs includes DescribeConfigs. */
  it.each([
    ["Create", [CREATE]],
    ["Read", [READ]],
    ["Write", [WRITE]],
    ["DescribeConfigs", [DESCRIBE_CONFIGS, ALTER_CONFIGS]],
  ])(
    "on the topic: without %s the reason names it",
    async (name, missing) => {
      const topic = await topicWith(ON_THE_TOPIC.filter((right) => !missing.includes(right)));
      expect(await why(topic)).toBe(
        `Kafka does not give the gateway the right ${name} on the topic ${topic}`,
      );
    },
    TIMEOUT,
  );

  it(
    "on the topic: without AlterConfigs the reason names it, if the retention is too short",
    async () => {
      const topic = await topicWith(ON_THE_TOPIC.filter((right) => right !== ALTER_CONFIGS));
      await admin.createTopics({
        topics: [{ topic, numPartitions: 2, configEntries: [{ name: "retention.ms", value: "1000" }] }],
      });
      expect(await why(topic)).toBe(
        `Kafka does not give the gateway the right AlterConfigs on the topic ${topic}`,
      );
    },
    TIMEOUT,
  );

  it(
    "on a station's topic: without Read the reason names it",
    async () => {
      const topic = await topicWith(ON_THE_TOPIC);
      const withRights = (...rights: readonly AclOperationTypes[]): Promise<string> =>
        topicWith(rights, { prefix: "" });
      const [readable, missing] = [await withRights(READ, WRITE), await withRights(READ, WRITE)];
      const writable = await withRights(WRITE);
      await admin.createTopics({ topics: [{ topic: readable }, { topic: writable }] });
      expect(await why(topic, readable, missing)).toBeUndefined();
      expect(await why(topic, readable, writable)).toBe(
        `Kafka does not give the gateway the right Read on the topic ${writable}`,
      );
    },
    TIMEOUT,
  );

  it(
    "on the group: without Read the reason names it, and a station with once stops the start",
    async () => {
      const topic = await topicWith(ON_THE_TOPIC, { ofGroup: [] });
      const reason = `Kafka does not give the gateway the right Read on the group ${topic.slice(1)}`;
      expect(await why(topic)).toBe(reason);
      const settings = settingsOf({
        yaml: `server: { host: 127.0.0.1, port: 0 }
admin: { port: 0 }
log: { level: silent }
auth: { apiKeys: [{ id: shop, key: the-key-of-the-shop-0123456789, kind: server, stations: ["*"] }] }
broker:
  type: kafka
  kafka:
    brokers: ["${kafka.listeners.get("SASL_PLAINTEXT") ?? ""}"]
    sasl: { mechanism: plain, username: alice, password: ${PASSWORD} }
once: { topic: ${topic}, partitions: 2 }
stations: [{ name: orders, once: { id: /id, window: 1h } }]
`,
      });
      const start = startGateway(settings, createLog({ level: "silent" }), {
        tls: {},
        reload: { reload: () => Promise.reject(new Error("no reload")), status: () => ({}) as never },
      });
      await expect(start).rejects.toMatchObject({
        ...{ code: "SETTINGS_INVALID", message: `stations[orders].once can't be used: ${reason}` },
      });
    },
    TIMEOUT,
  );
});
