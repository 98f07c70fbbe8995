/**
 * Partition assigner for kafkajs. The assigner of kafkajs assigns the topics of the group's leader to all members, even to
 * members that subscribe to other topics. This assigner assigns each topic to its subscribers only.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  AssignerProtocol,
  type Assigner,
  type Assignment,
  type Cluster,
  type PartitionAssigner,
} from "kafkajs";
import type { TopicPartition } from "../broker.ts";
import { spread } from "../partitions.ts";

/** Resolves to the current number of partitions; 0 if the topic doesn't exist. */
export type CountPartitions = (topic: string) => Promise<number>;

const { MemberMetadata, MemberAssignment } = AssignerProtocol;

export const ASSIGNOR = "stationgate-by-subscription";
const VERSION = 0;

/** Milliseconds between the attempts to count. Their sum is well below a session timeout. */
const COUNT_PAUSES = [100, 200, 400, 800];

/**
 * Retries a failed count. If an assigner rejects, kafkajs stops the consumer and doesn't leave the group, which then waits
 * for the session timeout.
 */
export const withRetries =
  (count: CountPartitions): CountPartitions =>
  async (topic) => {
    for (const pause of COUNT_PAUSES) {
      const partitions = await count(topic).catch(() => undefined);
      if (partitions !== undefined) return partitions;
      await sleep(pause);
    }
    return count(topic);
  };

/** `onCluster` gets the consumer's cluster object, which kafkajs passes only to assigners. */
export const bySubscription = (
  countPartitions: CountPartitions,
  onCluster: (cluster: Cluster) => void,
): PartitionAssigner => {
  const count = withRetries(countPartitions);
  const assigner: Assigner = {
    name: ASSIGNOR,
    version: VERSION,
    protocol: ({ topics }) => ({
      name: ASSIGNOR,
      metadata: MemberMetadata.encode({ version: VERSION, topics, userData: Buffer.alloc(0) }),
    }),
    assign: async ({ members }) => {
      const subscriptions = new Map(
        members.map(({ memberId, memberMetadata }) => [
          memberId,
          MemberMetadata.decode(memberMetadata)?.topics ?? [],
        ]),
      );
      const topics = [...new Set([...subscriptions.values()].flat())];
      const counts = new Map(
        await Promise.all(topics.map(async (topic) => [topic, await count(topic)] as const)),
      );
      return [...spread(subscriptions, (topic) => counts.get(topic) ?? 0)].map(([memberId, held]) => ({
        memberId,
        memberAssignment: MemberAssignment.encode({
          version: VERSION,
          assignment: byTopic(held),
          userData: Buffer.alloc(0),
        }),
      }));
    },
  };
  return ({ cluster }) => {
    onCluster(cluster);
    return assigner;
  };
};

const byTopic = (held: readonly TopicPartition[]): Assignment => {
  const assignment: Assignment = {};
  for (const { topic, partition } of held) (assignment[topic] ??= []).push(partition);
  return assignment;
};
