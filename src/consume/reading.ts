/** When a member's partitions stand still: while enough is buffered, or while memory is short. */
import type { Subscription } from "../broker/broker.ts";
import type { PartitionHandOut } from "./partition-hand-out.ts";

export interface ReadingBounds {
  readonly topic: string;
  /** Free records, and bytes of them, from which on the partitions are paused. */
  readonly maxBufferedRecords: number;
  readonly maxBufferedBytes: number;
}

export interface Reading {
  /** There is no memory for a record that has been read: everything stands still. */
  readonly isStarved: boolean;
  /** Is there a record that a pull doesn't get only because of memory? Once memory is there, this is told only once more. */
  readonly lacksMemory: () => boolean;
  /** From here on the subscription is paused and resumed. */
  readonly begin: (subscription: Subscription) => void;
  readonly regulate: () => void;
  /** Partitions that were just assigned aren't paused. */
  readonly restart: () => void;
  /** The partition is to be read again from this offset. Until `wake`, everything stands still. */
  readonly miss: (partition: number, offset: bigint) => void;
  readonly isMissing: (partition: number) => boolean;
  readonly forget: (partition: number) => void;
  /** Records have come; some of them may have been missed. */
  readonly noteArrival: () => void;
  /** Reads again what was missed. */
  readonly wake: () => void;
}

type Held = ReadonlyMap<number, PartitionHandOut>;

export const createReading = (bounds: ReadingBounds, held: Held): Reading => {
  const missed = new Map<number, bigint>();
  let subscription: Subscription | undefined;
  let paused = false;
  let starved = false;
  let lacking = false;

  const regulate = (): void => {
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
    // Before the subscription is known nothing can be sought.
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
    begin: (running) => {
      subscription = running;
      if (starved) wake();
      else regulate();
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
