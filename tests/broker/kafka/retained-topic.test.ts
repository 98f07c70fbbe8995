/** A topic that keeps its records for a time: its settings in Kafka, and what happens if they can't be set. */
import kafkajs, { Kafka, logLevel } from "kafkajs";
import type { Broker } from "../../../src/broker/broker.ts";
import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import { settleRetainedTopic, type TopicSettingsAccess } from "../../../src/broker/kafka/retained-topic.ts";
import { describeKafka, describeOwnKafka, uniqueName } from "../../support/kafka/describe.ts";
import { startKafka, type KafkaServer } from "../../support/kafka/server.ts";
import { kafkaOptions } from "./options.ts";

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;
const RIGHT = { partitions: 2, logAppendTime: true, retentionMs: 90_000_000 };

const adminOf = async (brokers: readonly string[]) => {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  return admin;
};

describeKafka("a topic that keeps its records for a time", (kafka) => {
  let broker: Broker;
  let admin: Awaited<ReturnType<typeof adminOf>>;

  beforeEach(async () => {
    broker = createKafkaBroker(kafkaOptions(kafka.brokers));
    admin = await adminOf(kafka.brokers);
  });
  afterEach(async () => {
    await admin.disconnect();
    await broker.close();
  });

  const NAMES = [
    "cleanup.policy",
    "max.message.bytes",
    "message.timestamp.type",
    "retention.bytes",
    "retention.ms",
  ];
  const settingsOf = async (name: string): Promise<Record<string, string>> => {
    const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name, configNames: NAMES };
    const { resources } = await admin.describeConfigs({ resources: [resource], includeSynonyms: false });
    const entries = resources[0]?.configEntries ?? [];
    return Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue]));
  };
  const create = async (settings: Record<string, string>): Promise<string> => {
    const topic = uniqueName("retained");
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    await admin.createTopics({ topics: [{ topic, numPartitions: 2, configEntries }], waitForLeaders: true });
    return topic;
  };
  /** Kafka applies changed settings a little later. */
  const until = async (name: string, wanted: Record<string, string>): Promise<void> => {
    const isReached = async (): Promise<boolean> => {
      const has = await settingsOf(name);
      return Object.entries(wanted).every(([key, value]) => has[key] === value);
    };
    while (!(await isReached())) continue;
  };

  it("is created with its settings", async () => {
    const name = uniqueName("retained");
    await broker.ensureTopic({ name, ...RIGHT });
    expect(await settingsOf(name)).toMatchObject({
      "cleanup.policy": "delete",
      "message.timestamp.type": "LogAppendTime",
      "retention.bytes": "-1",
      "retention.ms": "90000000",
    });
  });

  it("gets a higher retention, but no lower one, and keeps its other settings", async () => {
    const name = await create({ "retention.ms": "1000", "max.message.bytes": "123456" });
    await broker.ensureTopic({ name, ...RIGHT });
    await until(name, { "retention.ms": "90000000", "message.timestamp.type": "LogAppendTime" });
    await broker.ensureTopic({ name, ...RIGHT, retentionMs: 1000 });
    await broker.ensureTopic({ name, ...RIGHT });
    expect(await settingsOf(name)).toMatchObject({
      "retention.ms": "90000000",
      "max.message.bytes": "123456",
    });
  });

  it("keeps an unlimited retention", async () => {
    const name = await create({ "retention.ms": "-1", "retention.bytes": "1000" });
    await broker.ensureTopic({ name, ...RIGHT });
    await until(name, { "retention.bytes": "-1" });
    expect(await settingsOf(name)).toMatchObject({ "retention.ms": "-1" });
  });

  it("gets its wrong settings set right", async () => {
    const name = await create({ "cleanup.policy": "compact", "message.timestamp.type": "CreateTime" });
    await broker.ensureTopic({ name, ...RIGHT });
    await until(name, { "cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime" });
  });
});

describe("a topic whose settings can't be set right", () => {
  const access = (refusal: string): TopicSettingsAccess => ({
    read: () =>
      Promise.resolve(
        new Map([
          ["cleanup.policy", "delete"],
          ["message.timestamp.type", "LogAppendTime"],
          ["retention.bytes", "1000"],
          ["retention.ms", "5000"],
        ]),
      ),
    change: () => Promise.reject(new Error(refusal)),
    refusal: (error) => (error as Error).message,
  });
  const settle = (refusal: string) =>
    settleRetainedTopic({ name: "t", ...RIGHT }, { partitions: 2 }, access(refusal));

  it.each(["POLICY_VIOLATION", "INVALID_CONFIG"])(
    "is refused with its wrong settings after %s",
    async (refusal) => {
      await expect(settle(refusal)).rejects.toMatchObject({
        code: "SETTINGS_INVALID",
        message: `The topic t has settings that Kafka does not let the gateway change (${refusal}): retention.bytes must be -1 (it is 1000), retention.ms must be 90000000 (it is 5000)`,
      });
    },
  );

  it("is unavailable after any other error", async () => {
    await expect(settle("REQUEST_TIMED_OUT")).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
    await expect(settle("")).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
  });
});

describeOwnKafka("a topic that keeps its records, for a gateway without all rights", () => {
  let kafka: KafkaServer;
  let admin: Awaited<ReturnType<typeof adminOf>>;
  let broker: Broker;

  beforeAll(async () => {
    kafka = await startKafka({
      listeners: ["SASL_PLAINTEXT"],
      users: { gateway: "secret" },
      properties: {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
      },
    });
    admin = await adminOf(kafka.brokers);
    broker = createKafkaBroker(
      kafkaOptions([kafka.listeners.get("SASL_PLAINTEXT") ?? ""], {
        sasl: { mechanism: "plain", username: "gateway", password: "secret" },
      }),
    );
  }, 120_000);
  afterAll(async () => {
    await broker.close();
    await admin.disconnect();
    await kafka.stop();
  });

  const allow = async (name: string, ...operations: (keyof typeof AclOperationTypes)[]): Promise<void> => {
    await admin.createAcls({
      acl: operations.map((operation) => ({
        resourceType: AclResourceTypes.TOPIC,
        resourceName: name,
        resourcePatternType: ResourcePatternTypes.LITERAL,
        principal: "User:gateway",
        host: "*",
        operation: AclOperationTypes[operation],
        permissionType: AclPermissionTypes.ALLOW,
      })),
    });
  };
  const create = async (): Promise<string> => {
    const topic = uniqueName("rights");
    await admin.createTopics({ topics: [{ topic, numPartitions: 2 }], waitForLeaders: true });
    return topic;
  };
  const refusal = async (name: string): Promise<string> =>
    broker.ensureTopic({ name, ...RIGHT }).then(
      () => "ensured",
      (error: unknown) => `${(error as { code: string }).code}: ${(error as Error).message}`,
    );

  it("says which right is missing, and goes on when it is given", async () => {
    const name = await create();
    expect(await refusal(name)).toMatch(/^TOPIC_REFUSED/);
    await allow(name, "DESCRIBE");
    const until = async (wanted: string): Promise<string> => {
      let last = "";
      while (last !== wanted) last = await refusal(name);
      return last;
    };
    const text = (right: string): string =>
      `TOPIC_REFUSED: Kafka does not give the gateway the right ${right} on the topic ${name}`;
    await until(text("DescribeConfigs"));
    await allow(name, "DESCRIBE_CONFIGS");
    await until(text("AlterConfigs"));
    await allow(name, "ALTER_CONFIGS");
    expect(await until("ensured")).toBe("ensured");
  }, 60_000);

  it("is refused if it does not exist and the gateway may not create it", async () => {
    expect(await refusal(uniqueName("rights"))).toMatch(/^TOPIC_REFUSED/);
  });
});
