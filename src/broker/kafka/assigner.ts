/**
 * kafkajs's own assigner deals the topics of the group's leader out to all members, those included that asked for
 * others, who then get nothing. Here each topic goes to those that asked for it.
 */
import { AssignerProtocol, type Assigner, type Assignment, type PartitionAssigner } from "kafkajs";
import type { TopicPartition } from "../broker.ts";
import { spread } from "../spread.ts";

/** How many partitions a topic has now; 0 where there is no such topic. */
export type CountPartitions = (topic: string) => Promise<number>;

const { MemberMetadata, MemberAssignment } = AssignerProtocol;

const NAME = "stationgate-by-subscription";
const VERSION = 0;

export const bySubscription = (countPartitions: CountPartitions): PartitionAssigner => {
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
        await Promise.all(topics.map(async (topic) => [topic, await countPartitions(topic)] as const)),
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
  return () => assigner;
};

const byTopic = (held: readonly TopicPartition[]): Assignment => {
  const assignment: Assignment = {};
  for (const { topic, partition } of held) (assignment[topic] ??= []).push(partition);
  return assignment;
};
