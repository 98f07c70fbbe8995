/**
 * How far this process had come with partitions that it gave up. A connector that is started again, with whichever
 * configuration, goes on from there: what was finished is not sent again.
 */
import type { GroupPosition } from "../../broker/broker.ts";
import { partitionId } from "../../broker/partitions.ts";
import type { Claim, Item } from "./claims.ts";
import { decodeRanges } from "./offset-tracker.ts";

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
      if (offset !== undefined) claim.tracker.know(decodeRanges(offset, metadata));
      const kept = groups.get(group)?.get(partitionId(claim));
      groups.get(group)?.delete(partitionId(claim));
      // Another position was stored by somebody else, who meant it.
      if (kept === undefined || kept.committed !== offset || kept.metadata !== metadata) return;
      claim.tracker.know(kept.tracker.finishedRanges());
      claim.earlier ??= kept.tracker;
    },
    forget: (group, topic) => {
      const claims = groups.get(group);
      for (const [id, claim] of claims ?? []) if (claim.topic === topic) claims?.delete(id);
    },
  };
};

/**
 * Records whose attempts were broken off because their partition was taken away. Most partitions come straight back:
 * then neither an attempt too many is made, nor one before its time.
 */

export interface Interruptions {
  note(item: Item): void;
  /** Gives a record that has come again what is known of its earlier attempts. */
  resume(item: Item): void;
  /** The topic is another one now. */
  forget(topic: string): void;
}

export const createInterruptions = (): Interruptions => {
  const partitions = new Map<string, Map<bigint, Item>>();

  /** What lies before the claim's own position has been finished, by whomever. */
  const forgetFinished = (items: Map<bigint, Item>, position: bigint): void => {
    for (const offset of items.keys()) if (offset < position) items.delete(offset);
  };

  return {
    forget: (topic) => {
      for (const [id, items] of partitions)
        if ([...items.values()].some(({ claim }) => claim.topic === topic)) partitions.delete(id);
    },
    note: (item) => {
      const id = partitionId(item.claim);
      const items = partitions.get(id) ?? new Map<bigint, Item>();
      partitions.set(id, items.set(item.record.offset, item));
    },
    resume: (item) => {
      if (partitions.size === 0) return;
      const id = partitionId(item.claim);
      const items = partitions.get(id);
      if (items === undefined) return;
      const before = items.get(item.record.offset);
      items.delete(item.record.offset);
      forgetFinished(items, item.claim.tracker.position() ?? 0n);
      if (items.size === 0) partitions.delete(id);
      if (before === undefined) return;
      const { notBefore, attempts, retry, lastStatus, lastError } = before;
      Object.assign(item, { notBefore, attempts, retry, lastStatus, lastError });
    },
  };
};
