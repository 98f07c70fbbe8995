/** The position of one stream while it differs from the feed's: the next offset of each partition. */
import type { Clock } from "../../lib/clock.ts";
import { createIdTurns } from "./id-turns.ts";
import type { Ring } from "./ring.ts";
import type { StreamPosition } from "./stream-id.ts";

export interface OwnPosition extends StreamPosition {
  /** Moves the partition to this offset. False, and nothing changes: the position is there already, or beyond it. */
  pass(partition: number, offset: bigint): boolean;
  equals(other: StreamPosition): boolean;
  /** The id of this position. */
  readonly id: () => string;
  /** The id for an event; undefined: ids are large, and one was sent lately. */
  nextId(): string | undefined;
  /** The number of the first batch that has something beyond this position. */
  firstMissing(ring: Ring): number;
}

const reaches = (offsets: readonly bigint[], other: readonly bigint[]): boolean =>
  other.every((offset, partition) => (offsets[partition] ?? 0n) >= offset);

/** True if everything beyond the position is in the ring, or will come. */
export const isCovered = ({ topicId, offsets }: StreamPosition, { start }: Pick<Ring, "start">): boolean =>
  topicId === start.topicId && reaches(offsets, start.offsets);

export const createOwnPosition = (topic: string, begin: StreamPosition, clock: Clock): OwnPosition => {
  const { topicId } = begin;
  const offsets = [...begin.offsets];
  const ids = createIdTurns(topic, topicId, clock);

  const hasAll = (of: StreamPosition | undefined): boolean =>
    of === undefined || (of.topicId === topicId && reaches(offsets, of.offsets));

  return {
    topicId,
    offsets,
    pass: (partition, offset) => {
      if (offset <= (offsets[partition] ?? 0n)) return false;
      while (offsets.length < partition) offsets.push(0n);
      offsets[partition] = offset;
      return true;
    },
    equals: (other) =>
      other.topicId === topicId && reaches(offsets, other.offsets) && reaches(other.offsets, offsets),
    id: () => ids.of(offsets),
    nextId: () => ids.next(offsets),
    firstMissing: (ring) => {
      // Positions of batches only grow.
      let [low, high] = [ring.first, ring.next];
      while (low < high) {
        const middle = Math.floor((low + high) / 2);
        if (hasAll(ring.get(middle)?.after)) low = middle + 1;
        else high = middle;
      }
      return low;
    },
  };
};
