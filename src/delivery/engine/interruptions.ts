/**
 * Records whose attempts were broken off because their partition was taken away. Most partitions come straight back:
 * then neither an attempt too many is made, nor one before its time.
 */
import { partitionId } from "../../broker/partitions.ts";

import type { Item } from "./item.ts";

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
