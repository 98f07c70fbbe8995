/** A consumer group inside one process: who its members are, and which partitions each of them has. */
import type { TopicPartition } from "../broker.ts";
import { spread } from "../partitions.ts";

export interface GroupMember {
  readonly topics: readonly string[];
  /** Gives up what it has. May be called again before it has settled. */
  revoke(): Promise<void>;
  assign(partitions: readonly TopicPartition[]): void;
}

export interface Group {
  readonly size: number;
  join(member: GroupMember): void;
  /** Resolves once the member has given up its partitions; the others get them soon after. */
  leave(member: GroupMember): Promise<void>;
  /** Spreads the partitions anew where a member waits for this topic, which has come into being. */
  created(topic: string): void;
}

/**
 * A group that rebalances as Kafka's eager protocol does: every member gives up all it has, and only then is anything
 * assigned, so that no partition has two owners.
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

  // In a later turn: who subscribes has the subscription in hand before its handlers are called, and members that
  // come or go together cost one rebalance.
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
