/** The committed positions of all groups, in memory. */
import type { GroupPosition } from "../broker.ts";

export interface Positions {
  readonly of: (group: string) => readonly GroupPosition[];
  readonly set: (group: string, positions: readonly GroupPosition[]) => void;
  readonly delete: (group: string) => void;
}

/** No positions yet; a later one of a partition replaces the earlier. */
export const createPositions = (): Positions => {
  const groups = new Map<string, Map<string, GroupPosition>>();

  return {
    of: (group) => [...(groups.get(group)?.values() ?? [])],
    set: (group, positions) => {
      const known = groups.get(group) ?? new Map<string, GroupPosition>();
      groups.set(group, known);
      for (const position of positions) known.set(`${position.topic}/${position.partition}`, position);
    },
    delete: (group) => {
      groups.delete(group);
    },
  };
};
