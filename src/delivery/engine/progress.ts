/**
 * The lag of assigned partitions, and the progress of revoked partitions.
 *
 * Keeps the progress of revoked partitions in memory. A connector that is restarted, even with another configuration,
 * continues there, so that finished records are not sent again. The attempts of interrupted records are kept too: most
 * partitions are assigned to this process again at once. An interrupted record then continues its schedule, with the same
 * number of attempts and at the planned times.
 */
import type { Broker, GroupPosition } from "../../broker/broker.ts";
import { partitionId } from "../../broker/partitions.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Claim, Item } from "./claims.ts";
import { decodeRanges } from "./offset-tracker.ts";

export interface Progress {
  /** Keeps the progress of a revoked claim. Its requests in flight may still finish. */
  keep(group: string, claim: Claim): void;
  /**
   * Notes in a new claim which records are already finished: those that this process finished before, and those in the
   * metadata of the stored position.
   * `start`: the group's position. undefined: the group has no position.
   */
  begin(group: string, claim: Claim, start: GroupPosition | undefined): void;
  /** Deletes the progress of a topic that was deleted and created again. */
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
      // Another process or an operator has stored another position, which has precedence.
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

export interface Interruptions {
  /** Keeps the attempts of a record whose partition was revoked. */
  note(item: Item): void;
  /** Restores the attempts of a record that was read again. */
  resume(item: Item): void;
  /** Deletes the attempts of a topic that was deleted and created again. */
  forget(topic: string): void;
}

export const createInterruptions = (): Interruptions => {
  const partitions = new Map<string, Map<bigint, Item>>();

  /** All records before the claim's position are finished. */
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

interface Lag {
  /** Number of stored records without final outcome. */
  readonly records: number;
  /** Age of the oldest read record without final outcome. 0: there is no such record. */
  readonly seconds: number;
}

export interface ConnectorSample {
  readonly connector: string;
  readonly inFlight: number;
  /** Number of records that wait for the time of their next attempt. */
  readonly waiting: number;
  readonly lag: Lag;
}

/** Lag of the partitions that are assigned to this member. Rejects with BROKER_UNAVAILABLE. */
export const lagOf = async (
  broker: Pick<Broker, "watermarks">,
  clock: Clock,
  claims: readonly Claim[],
): Promise<Lag> => {
  const topics = [...new Set(claims.map(({ topic }) => topic))];
  const marks = new Map(
    await Promise.all(topics.map(async (topic) => [topic, await broker.watermarks(topic)] as const)),
  );
  const behind = claims.map(({ topic, partition, tracker }) => {
    const high = marks.get(topic)?.find((watermarks) => watermarks.partition === partition)?.high;
    const position = tracker.position();
    return high === undefined || position === undefined ? 0 : Math.max(0, Number(high - position));
  });
  const oldest = Math.min(...claims.map(({ tracker }) => tracker.oldest() ?? Infinity));
  return {
    records: behind.reduce((sum, records) => sum + records, 0),
    seconds: oldest === Infinity ? 0 : Math.max(0, (clock.now() - oldest) / 1000),
  };
};
