/** A consumer group inside one process: its members and their partitions. */
import type { TopicPartition } from "../broker.ts";
import { spread } from "../partitions.ts";

export interface GroupMember {
  readonly topics: readonly string[];
  /** Revokes all partitions of the member. May be called again before it has settled. */
  revoke(): Promise<void>;
  assign(partitions: readonly TopicPartition[]): void;
}

export interface Group {
  readonly size: number;
  join(member: GroupMember): void;
  /** Resolves when the member's partitions are revoked. The other members get them soon after. */
  leave(member: GroupMember): Promise<void>;
  /** The topic was created: rebalances if a member subscribes to it. */
  created(topic: string): void;
}

/**
 * A group that rebalances like Kafka's eager protocol: first all partitions are revoked, then they are assigned, so that no
 * partition has two owners.
 */
export const createGroup = (partitionsOf: (topic: string) => number): Group => {
  const members = new Set<GroupMember>();
  let running = Promise.resolve();
  let due = false;

  const run = async (): Promise<void> => {
    due = false;
    await Promise.all([...members].map((member) => member.revoke()));
    const wishes = new Map([...members].map((member) => [member, member.topics]));
    for (const [member, partitions] of spread(wishes, partitionsOf)) member.assign(partitions);
  };

  // Runs in a later turn of the event loop: a subscriber gets its subscription before its handlers are called, and members
  // that join or leave together cause one rebalance.
  const rebalance = (): void => {
    if (due) return;
    due = true;
    setImmediate(() => {
      running = running.then(run);
    });
  };

  return {
    get size() {
      return members.size;
    },
    join: (member) => {
      members.add(member);
      rebalance();
    },
    leave: async (member) => {
      members.delete(member);
      await member.revoke();
      rebalance();
    },
    created: (topic) => {
      if ([...members].some(({ topics }) => topics.includes(topic))) rebalance();
    },
  };
};
