/** Pauses a member's partitions while enough records are buffered or memory is short. */
import type { Subscription } from "../broker/broker.ts";
import type { PartitionHandOut } from "./partition-hand-out.ts";

/** The subscription is made after what uses it. */
export interface Membership {
  subscription: Subscription | undefined;
}

export interface ReadingBounds {
  readonly topic: string;
  /** Number and bytes of free records at which the partitions are paused. */
  readonly maxBufferedRecords: number;
  readonly maxBufferedBytes: number;
}

export interface Reading {
  /** A record was read and there is no memory for it: all partitions are paused. */
  readonly isStarved: boolean;
  /** True if a pull lacks a record only because of memory. After the memory is back, returns true once more. */
  readonly lacksMemory: () => boolean;
  readonly regulate: () => void;
  /** Partitions were assigned, so none of them is paused. */
  readonly restart: () => void;
  /** Reads the partition again from this offset, after `wake`. Until then all partitions are paused. */
  readonly miss: (partition: number, offset: bigint) => void;
  readonly isMissing: (partition: number) => boolean;
  readonly forget: (partition: number) => void;
  /** Records have arrived; some of them may have been missed. */
  readonly noteArrival: () => void;
  /** Reads the missed records again. */
  readonly wake: () => void;
}

type Held = ReadonlyMap<number, PartitionHandOut>;

export const createReading = (bounds: ReadingBounds, membership: Membership, held: Held): Reading => {
  const missed = new Map<number, bigint>();
  let paused = false;
  let starved = false;
  let lacking = false;

  const regulate = (): void => {
    const { subscription } = membership;
    if (subscription === undefined) return;
    const full = fullness(bounds, held);
    if ((starved || full >= 1) && !paused) {
      paused = true;
      subscription.pause(subscription.assignment);
    } else if (!starved && full <= 0.5 && paused) {
      paused = false;
      subscription.resume(subscription.assignment);
    }
  };

  const wake = (): void => {
    const { subscription } = membership;
    if (subscription === undefined) return;
    starved = false;
    for (const [partition, offset] of missed) subscription.seek({ topic: bounds.topic, partition, offset });
    missed.clear();
    regulate();
  };

  return {
    get isStarved() {
      return starved;
    },
    lacksMemory: () => {
      const lacked = lacking;
      lacking = starved;
      return lacked;
    },
    regulate,
    restart: () => {
      paused = false;
      regulate();
    },
    miss: (partition, offset) => {
      missed.set(partition, offset);
      starved = true;
      lacking = true;
      regulate();
    },
    isMissing: (partition) => missed.has(partition),
    forget: (partition) => void missed.delete(partition),
    noteArrival: () => {
      lacking = starved;
    },
    wake,
  };
};

const fullness = ({ maxBufferedRecords, maxBufferedBytes }: ReadingBounds, held: Held): number => {
  let records = 0;
  let bytes = 0;
  for (const { free } of held.values()) {
    records += free.count;
    bytes += free.bytes;
  }
  return Math.max(records / maxBufferedRecords, bytes / maxBufferedBytes);
};
