/** Positions that an earlier Stationgate kept under another group's name: taken over, and kept in step. */
import type { Broker, TopicPartitionOffset } from "../../broker/broker.ts";

/**
 * The broker, as whoever stores positions of groups without members sees it. A group that has an earlier one (`earlier`,
 * by the group's name) is at the later of the two positions, per partition; a position is stored in both. So the earlier
 * program can go on where this one ends, and this one where it ends, in turn and side by side.
 */
export const withEarlierGroups = (broker: Broker, earlier: ReadonlyMap<string, string>): Broker => ({
  ...broker,
  committed: async (group, topic) => {
    const before = earlier.get(group);
    if (before === undefined || before === group) return broker.committed(group, topic);
    return laterOf(await Promise.all([broker.committed(group, topic), broker.committed(before, topic)]));
  },
  setCommitted: async (group, positions, isWanted) => {
    await broker.setCommitted(group, positions, isWanted);
    const before = earlier.get(group);
    if (before !== undefined && before !== group) await broker.setCommitted(before, positions, isWanted);
  },
});

const laterOf = (groups: readonly (readonly TopicPartitionOffset[])[]): readonly TopicPartitionOffset[] => {
  const latest = new Map<number, TopicPartitionOffset>();
  for (const position of groups.flat()) {
    const known = latest.get(position.partition);
    if (known === undefined || known.offset < position.offset) latest.set(position.partition, position);
  }
  return [...latest.values()];
};
