/** A cluster of three nodes whose followers are away: what a leader has written, and what one attempt at it ends with. */
import { Kafka, logLevel } from "kafkajs";
import type { Broker } from "../../../src/broker/broker.ts";
import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import { startKafkaCluster, type KafkaCluster } from "../../support/kafka/cluster.ts";
import { describeOwnKafka, uniqueName } from "../../support/kafka/describe.ts";
import { batch, summaryOf } from "../conformance/once.ts";
import { readOptions } from "../conformance/reading.ts";
import { valueOf } from "../conformance/tools.ts";
import { kafkaOptions } from "./options.ts";

describeOwnKafka("a cluster whose followers are away", () => {
  let cluster: KafkaCluster;
  let broker: Broker;

  beforeAll(async () => {
    cluster = await startKafkaCluster(3);
  }, 180_000);
  beforeEach(async () => {
    broker = createKafkaBroker(kafkaOptions(cluster.brokers.slice(0, 1)));
    await broker.open();
  });
  afterEach(async () => {
    await cluster.heal();
    await broker.close();
  }, 120_000);
  afterAll(async () => {
    await cluster.stop();
  });

  const client = () => new Kafka({ brokers: [...cluster.brokers.slice(0, 1)], logLevel: logLevel.NOTHING });

  /** A topic with one partition and these replicas; the first one leads it. */
  const createTopic = async (replicas: number[], minInSync: number): Promise<string> => {
    const topic = uniqueName("led");
    const admin = client().admin();
    await admin.connect();
    await admin.createTopics({
      topics: [
        {
          topic,
          replicaAssignment: [{ partition: 0, replicas }],
          configEntries: [{ name: "min.insync.replicas", value: `${minInSync}` }],
        },
      ],
    });
    await admin.disconnect();
    await broker.leaderEnd(topic, 0);
    return topic;
  };
  const attempt = async (topic: string, value: string) => {
    const options = { mayWrite: () => true, timeoutMs: 3000 };
    return (await broker.appendOnce(topic, [batch(0, value)], options)).map(summaryOf).join();
  };

  it("sees in the leader's end what the followers have not copied yet", async () => {
    const topic = await createTopic([1, 2, 3], 1);
    expect(await attempt(topic, "copied")).toBe("stored at 0");
    // Without two of three nodes there is no controller, so the in-sync replicas stay as they are.
    for (const node of cluster.nodes.slice(1)) node.freeze();
    const producer = client().producer();
    await producer.connect();
    await producer.send({ topic, acks: 1, messages: [{ value: "not copied" }] });
    await producer.disconnect();

    expect(await broker.leaderEnd(topic, 0)).toBe(2n);
    const read = await broker.read(
      { topic, partition: 0, offset: 0n },
      readOptions({ isolation: "uncommitted", maxWaitMs: 500 }),
    );
    expect(read.high).toBe(1n);
    expect(read.records.map(valueOf)).toEqual(["copied"]);

    for (const node of cluster.nodes.slice(1)) node.thaw();
    const copied = await broker.read(
      { topic, partition: 0, offset: 1n },
      readOptions({ isolation: "uncommitted", maxWaitMs: 30_000 }),
    );
    expect(copied.records.map(valueOf)).toEqual(["not copied"]);
  }, 120_000);

  it("stores nothing while too few replicas are in sync", async () => {
    const topic = await createTopic([1, 2, 3], 3);
    expect(await attempt(topic, "first")).toBe("stored at 0");
    cluster.nodes[2]?.freeze();
    const inSync = async () => (await broker.partitions(topic))?.[0]?.inSync.length;
    while ((await inSync()) === 3) continue;
    // The leader learns a little later than the controller that a replica is missing.
    let outcome = "";
    while (!outcome.startsWith("unsent")) outcome = await attempt(topic, "perhaps stored");
    const end = await broker.leaderEnd(topic, 0);
    expect(await attempt(topic, "too few")).toBe("unsent BROKER_UNAVAILABLE");
    expect(await broker.leaderEnd(topic, 0)).toBe(end);
  }, 120_000);

  it("sends nothing to a partition without a leader", async () => {
    const topic = await createTopic([3], 1);
    expect(await attempt(topic, "first")).toBe("stored at 0");
    await cluster.nodes[2]?.kill();
    const leader = async () => (await broker.partitions(topic))?.[0]?.leader;
    while ((await leader()) !== undefined) continue;
    // The first attempt may still know the killed leader.
    const results = [await attempt(topic, "away"), await attempt(topic, "away")];
    expect(results).toEqual(["unsent BROKER_UNAVAILABLE", "unsent BROKER_UNAVAILABLE"]);
    await expect(broker.leaderEnd(topic, 0)).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
  }, 120_000);

  it("is unknown once after a partition has got another leader, and goes to that leader then", async () => {
    const topic = await createTopic([2, 3], 1);
    expect(await attempt(topic, "first")).toBe("stored at 0");
    const admin = client().admin();
    await admin.connect();
    await admin.alterPartitionReassignments({
      topics: [{ topic, partitionAssignment: [{ partition: 0, replicas: [3] }] }],
    });
    const leader = async () => (await broker.partitions(topic))?.[0]?.leader;
    while ((await leader()) !== 3) continue;
    await admin.disconnect();
    expect(await attempt(topic, "at the old leader")).toBe("unknown BROKER_AMBIGUOUS");
    expect(await attempt(topic, "at the new leader")).toBe("stored at 1");
    expect(await broker.leaderEnd(topic, 0)).toBe(2n);
  }, 120_000);
});
