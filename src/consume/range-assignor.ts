/** Kafka's assignor `range`, for a member that is the leader of its group. */
import type { Broker } from "../broker/broker.ts";
import { decodeSubscription, encodeAssignment } from "../broker/consumer-protocol.ts";
import type { JoinedMember, MemberAssignment } from "../broker/groups.ts";
import type { TopicPartition } from "../broker/positions.ts";
import type { Membership } from "../broker/membership.ts";
import type { Clock } from "../lib/clock.ts";

/** Milliseconds between two checks of the leader whether topics have new partitions. */
const COUNT_MS = 30_000;

/** Kafka's name of the assignor. */
export const RANGE = "range";
const NONE = Buffer.alloc(0);

export interface Assignor {
  assign(members: readonly JoinedMember[]): Promise<readonly MemberAssignment[]>;
  /** True if a topic has another number of partitions than in the last assignment by this member. */
  hasChanged(): Promise<boolean>;
}

export const createAssignor = (broker: Pick<Broker, "topic">): Assignor => {
  let counts: ReadonlyMap<string, number> = new Map();

  const countsOf = async (topics: Iterable<string>): Promise<ReadonlyMap<string, number>> =>
    new Map(
      await Promise.all(
        [...topics].map(async (topic): Promise<[string, number]> => [
          topic,
          (await broker.topic(topic))?.partitions ?? 0,
        ]),
      ),
    );

  return {
    assign: async (members) => {
      const topicsOf = new Map(
        members.map(({ memberId, metadata }) => [memberId, decodeSubscription(metadata)?.topics ?? []]),
      );
      counts = await countsOf(new Set([...topicsOf.values()].flat()));
      const ranges = rangesOf(topicsOf, counts);
      return members.map(({ memberId }) => ({
        memberId,
        assignment: encodeAssignment({ partitions: ranges.get(memberId) ?? [], userData: NONE }),
      }));
    },
    hasChanged: async () => {
      const now = await countsOf(counts.keys());
      return [...now].some(([topic, count]) => counts.get(topic) !== count);
    },
  };
};

/** Kafka's RangeAssignor: each topic's partitions in ranges, for its subscribers in the order of their member ids. */
export const rangesOf = (
  topicsOf: ReadonlyMap<string, readonly string[]>,
  counts: ReadonlyMap<string, number>,
): ReadonlyMap<string, readonly TopicPartition[]> => {
  const ranges = new Map<string, TopicPartition[]>([...topicsOf.keys()].map((memberId) => [memberId, []]));
  for (const [topic, count] of counts) {
    const subscribers = [...topicsOf.keys()].filter((id) => topicsOf.get(id)?.includes(topic)).sort();
    const size = Math.floor(count / subscribers.length);
    const larger = count % subscribers.length;
    let partition = 0;
    for (const [index, id] of subscribers.entries())
      for (let left = size + (index < larger ? 1 : 0); left > 0; left -= 1)
        ranges.get(id)?.push({ topic, partition: partition++ });
  }
  return ranges;
};

/** Joins again when topics have new partitions. Only the leader has counts. Returns a function that ends that. */
export const watchCounts = (clock: Clock, assignor: Assignor, membership: Membership): (() => void) => {
  const look = (): void => {
    cancel = clock.after(COUNT_MS, look);
    assignor.hasChanged().then(
      (changed) => {
        if (changed) membership.rejoin();
      },
      () => undefined,
    );
  };
  let cancel = clock.after(COUNT_MS, look);
  return () => {
    cancel();
  };
};
