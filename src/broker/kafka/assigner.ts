/**
 * kafkajs's own assigner deals the topics of the group's leader out to all members, those included that asked for
 * others, who then get nothing. Here each topic goes to those that asked for it.
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

/** How many partitions a topic has now; 0 where there is no such topic. */
export type CountPartitions = (topic: string) => Promise<number>;

const { MemberMetadata, MemberAssignment } = AssignerProtocol;

const NAME = "stationgate-by-subscription";
const VERSION = 0;

/** In milliseconds, and together well within a session. */
const COUNT_PAUSES = [100, 200, 400, 800];

/**
 * kafkajs ends a consumer whose assigner rejects without a word to the group, which then waits a session for it: a count
 * that fails is made again first.
 */
const persistently =
  (count: CountPartitions): CountPartitions =>
  async (topic) => {
    for (const pause of COUNT_PAUSES) {
      const partitions = await count(topic).catch(() => undefined);
      if (partitions !== undefined) return partitions;
      await sleep(pause);
    }
    return count(topic);
  };

/** `onCluster`: kafkajs hands the consumer's cluster object to its assigners only. */
export const bySubscription = (
  countPartitions: CountPartitions,
  onCluster: (cluster: Cluster) => void,
): PartitionAssigner => {
  const count = persistently(countPartitions);
  const assigner: Assigner = {
    name: NAME,
    version: VERSION,
    protocol: ({ topics }) => ({
      name: NAME,
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
