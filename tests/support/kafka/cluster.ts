/** A Kafka cluster of several nodes. Each topic has a replica on every node. */
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import { freePort } from "../free-port.ts";
import { newClusterId, prepareKafka, type KafkaServer } from "./server.ts";

export interface KafkaCluster {
  /** host:port of each node. */
  readonly brokers: readonly string[];
  readonly nodes: readonly KafkaServer[];
  /** The node that leads a topic's partition. */
  leaderOf(topic: string, partition: number): Promise<KafkaServer>;
  /** true: the node leads a partition of the topic. */
  leads(node: KafkaServer, topic: string): Promise<boolean>;
  stop(): Promise<void>;
}

/** A cluster whose topics survive the loss of one node: a replica on each node, and `min.insync.replicas` one less. */
export const startKafkaCluster = async (size: number): Promise<KafkaCluster> => {
  const controllers: number[] = [];
  for (let node = 0; node < size; node++) controllers.push(await freePort());
  const voters = controllers.map((port, i) => `${i + 1}@127.0.0.1:${port}`).join(",");
  const clusterId = newClusterId();
  const nodes: KafkaServer[] = [];
  for (const [i, controllerPort] of controllers.entries())
    nodes.push(
      await prepareKafka({
        clusterId,
        controllerPort,
        jvm: ["-Xms64m", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"],
        properties: {
          "node.id": `${i + 1}`,
          "controller.quorum.voters": voters,
          "default.replication.factor": `${size}`,
          "min.insync.replicas": `${size - 1}`,
          "offsets.topic.replication.factor": `${size}`,
          "replica.lag.time.max.ms": "3000",
        },
      }),
    );
  await Promise.all(nodes.map((node) => node.start()));
  const brokers = nodes.flatMap((node) => node.brokers);
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  while ((await admin.describeCluster()).brokers.length < size) await sleep(100);
  const leadersOf = async (topic: string): Promise<ReadonlyMap<number, KafkaServer | undefined>> => {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const partitions = topics[0]?.partitions ?? [];
    return new Map(partitions.map(({ partitionId, leader }) => [partitionId, nodes[leader - 1]]));
  };
  return {
    brokers,
    nodes,
    leads: async (node, topic) => [...(await leadersOf(topic)).values()].includes(node),
    leaderOf: async (topic, partition) => {
      const leader = (await leadersOf(topic)).get(partition);
      if (leader === undefined) throw new Error(`${topic}/${partition} has no leader`);
      return leader;
    },
    stop: async () => {
      await admin.disconnect();
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
};
