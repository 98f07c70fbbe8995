/** The committed positions of all groups, in memory. */
import type { TopicPartitionOffset } from "../broker.ts";

export interface Positions {
  readonly of: (group: string) => readonly TopicPartitionOffset[];
  readonly set: (group: string, positions: readonly TopicPartitionOffset[]) => void;
  readonly delete: (group: string) => void;
}

/** No positions yet; a later one of a partition replaces the earlier. */
export const createPositions = (): Positions => {
  const groups = new Map<string, Map<string, TopicPartitionOffset>>();

  return {
    of: (group) => [...(groups.get(group)?.values() ?? [])],
    set: (group, positions) => {
      const known = groups.get(group) ?? new Map<string, TopicPartitionOffset>();
      groups.set(group, known);
      for (const position of positions) known.set(`${position.topic}/${position.partition}`, position);
    },
    delete: (group) => {
      groups.delete(group);
    },
  };
};
