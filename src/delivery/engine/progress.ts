/**
 * How far this process had come with partitions that it gave up. A connector that is started again, with whichever
 * configuration, goes on from there: what was finished is not sent again.
 */
import { partitionId } from "../../broker/partitions.ts";
import type { GroupPosition } from "../../broker/broker.ts";
import { decodeRuns } from "./finished-runs.ts";
import type { Claim } from "./item.ts";

export interface Progress {
  /** The claim is given up. What is still in flight may end later. */
  keep(group: string, claim: Claim): void;
  /**
   * Tells a new claim what was finished before, by this process or by the one that stored the position. `start`: the
   * group's position; undefined: it has none.
   */
  begin(group: string, claim: Claim, start: GroupPosition | undefined): void;
  /** The topic is another one now. */
  forget(group: string, topic: string): void;
}

export const createProgress = (): Progress => {
  const groups = new Map<string, Map<string, Claim>>();

  return {
    keep: (group, claim) => {
      const claims = groups.get(group) ?? new Map<string, Claim>();
      groups.set(group, claims.set(partitionId(claim), claim));
    },
    begin: (group, claim, start) => {
      const { offset, metadata } = start ?? {};
      claim.begun = true;
      claim.committed = offset;
      claim.metadata = metadata;
      if (offset !== undefined) claim.tracker.know(decodeRuns(offset, metadata));
      const kept = groups.get(group)?.get(partitionId(claim));
      groups.get(group)?.delete(partitionId(claim));
      // Another position was stored by somebody else, who meant it.
      if (kept === undefined || kept.committed !== offset || kept.metadata !== metadata) return;
      claim.tracker.know(kept.tracker.finishedRuns());
      claim.earlier ??= kept.tracker;
    },
    forget: (group, topic) => {
      const claims = groups.get(group);
      for (const [id, claim] of claims ?? []) if (claim.topic === topic) claims?.delete(id);
    },
  };
};
