/** A Kafka cluster of several nodes. Each topic has a replica on every node. */
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import { freePort } from "../free-port.ts";
import { newClusterId, prepareKafka, type KafkaServer } from "./server.ts";

export interface KafkaCluster {
  /** host:port of each node. */
  readonly brokers: readonly string[];
  readonly nodes: readonly KafkaServer[];
  /** true: the node leads a partition of the topic. */
  leads(node: KafkaServer, topic: string): Promise<boolean>;
  /** Gives each partition of the topic other nodes than its leader, as a reassignment does. Resolves when all are moved. */
  moveLeaders(topic: string): Promise<void>;
  /** Resolves when all partitions of all topics have a leader and all their replicas in sync. */
  inSync(): Promise<void>;
  /** Heals each node (`KafkaServer.heal`). Resolves once all nodes are in the cluster. Only then they lead new partitions. */
  heal(): Promise<void>;
  stop(): Promise<void>;
}

/** The node with this id: 1 is the first. */
export const nodeOf = ({ nodes }: KafkaCluster, id: number): KafkaServer => {
  const node = nodes[id - 1];
  if (node === undefined) throw new RangeError(`the cluster has no node ${id}`);
  return node;
};

/**
 * A cluster whose topics survive the loss of one node: a replica on each node, and `min.insync.replicas` one less. `folders`: the
 * folder of each node, where the default does not fit.
 */
export const startKafkaCluster = async (
  size: number,
  folders: readonly (string | undefined)[] = [],
): Promise<KafkaCluster> => {
  const controllers: number[] = [];
  for (let node = 0; node < size; node++) controllers.push(await freePort());
  const voters = controllers.map((port, i) => `${i + 1}@127.0.0.1:${port}`).join(",");
  const clusterId = newClusterId();
  const nodes: KafkaServer[] = [];
  for (const [i, controllerPort] of controllers.entries()) {
    const folder = folders[i];
    nodes.push(
      await prepareKafka({
        clusterId,
        controllerPort,
        ...(folder !== undefined && { folder }),
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
  }
  await Promise.all(nodes.map((node) => node.start()));
  const brokers = nodes.flatMap((node) => node.brokers);
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const whenComplete = async (): Promise<void> => {
    const count = (): Promise<number> =>
      admin.describeCluster().then(
        (answer) => answer.brokers.length,
        () => 0,
      );
    while ((await count()) < size) await sleep(100);
  };
  await whenComplete();
  const partitionsOf = async (topics?: string[]) => {
    const answer = await admin.fetchTopicMetadata(topics && { topics });
    return answer.topics.flatMap(({ partitions }) => partitions);
  };
  const move = async (topic: string): Promise<void> => {
    const partitionAssignment = (await partitionsOf([topic])).map(({ partitionId, leader }) => ({
      partition: partitionId,
      replicas: nodes.map((_, i) => i + 1).filter((node) => node !== leader),
    }));
    await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] });
    const isUnderWay = async (): Promise<boolean> =>
      (await admin.listPartitionReassignments({})).topics.some(({ partitions }) => partitions.length > 0);
    while (await isUnderWay()) await sleep(50);
  };
  return {
    brokers,
    nodes,
    heal: async () => {
      await Promise.all(nodes.map((node) => node.heal()));
      await whenComplete();
    },
    leads: async (node, topic) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics.some(({ partitions }) => partitions.some(({ leader }) => nodes[leader - 1] === node));
    },
    moveLeaders: move,
    inSync: async () => {
      const isBehind = async (): Promise<boolean> =>
        partitionsOf().then(
          (all) => all.some(({ leader, isr, replicas }) => leader < 0 || isr.length < replicas.length),
          () => true,
        );
      while (await isBehind()) await sleep(100);
    },
    stop: async () => {
      await admin.disconnect();
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
};
