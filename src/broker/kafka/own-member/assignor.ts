/**
 * The assignor of the own classic member. Its name and its bytes are those of the kafkajs consumer (`assigner.ts`), so members
 * of both clients can be in one group.
 */
import type { JoinedMember, MemberAssignment } from "../../groups.ts";
import { decodeSubscription, encodeAssignment } from "../../consumer-protocol.ts";
import { spread } from "../../partitions.ts";
import { type CountPartitions, withRetries } from "../assigner.ts";

const NOTHING = Buffer.alloc(0);

/** The number of partitions of each topic that a member subscribes to, and the assignments of all members. */
export interface Assigned {
  readonly counts: ReadonlyMap<string, number>;
  readonly assignments: readonly MemberAssignment[];
}

/** Rejects if the partitions can't be counted. */
export const assignBySubscription = async (
  countPartitions: CountPartitions,
  members: readonly JoinedMember[],
): Promise<Assigned> => {
  const count = withRetries(countPartitions);
  const subscriptions = new Map(
    members.map(({ memberId, metadata }) => [memberId, decodeSubscription(metadata)?.topics ?? []]),
  );
  const topics = [...new Set([...subscriptions.values()].flat())];
  const counts = new Map(
    await Promise.all(topics.map(async (topic) => [topic, await count(topic)] as const)),
  );
  const assignments = Array.from(
    spread(subscriptions, (topic) => counts.get(topic) ?? 0),
    ([memberId, partitions]) => ({
      memberId,
      assignment: encodeAssignment({ partitions, userData: NOTHING }),
    }),
  );
  return { counts, assignments };
};
