/** The assigned partitions of one member, and their buffered records. */
import type { ConsumedRecord, TopicPartition, TopicPartitionOffset } from "../broker/broker.ts";
import { recordBytes } from "../broker/record-bytes.ts";
import {
  createPartitionHandOut,
  type KeptEvent,
  type KeptRecord,
  type PartitionHandOut,
  type Taken,
} from "./partition-hand-out.ts";
import type { HolderMemory } from "./reader-memory.ts";
import { createReading, type Membership, type Reading, type ReadingBounds } from "./reading.ts";

export interface HeldPartitionsOptions extends ReadingBounds {
  readonly membership: Membership;
  readonly memory: HolderMemory;
  /** What is buffered of a record. */
  readonly toEvent: (record: ConsumedRecord) => KeptEvent;
}

export interface HeldPartitions extends Pick<Reading, "isStarved" | "lacksMemory" | "wake"> {
  /** Number of free records. */
  readonly free: number;
  /** `isAll`: other partitions are no longer assigned. Records of an earlier assignment are not committed any more. */
  assign(assigned: readonly TopicPartition[], isAll: boolean): void;
  /** Hands out no more records of these partitions. */
  giveUp(revoked: readonly TopicPartition[]): void;
  /** Resolves when no answer holds records of these partitions. */
  readonly settled: (revoked: readonly TopicPartition[]) => Promise<void>;
  readonly noteSettled: () => void;
  add(records: readonly ConsumedRecord[]): void;
  /** As `SubscriptionHandlers.onPassed`. */
  readonly pass: (position: TopicPartitionOffset) => void;
  /** Takes free records within both limits, but at least one; empty: there are no free records. */
  readonly take: (maxRecords: number, maxBytes: number) => readonly Taken[];
  newPositions(): readonly TopicPartitionOffset[];
  /** Drops the buffered records and stops reading until `wake` or `wanted`. */
  drop(): void;
  /** A call waits for records: starts reading again after `drop`. */
  readonly wanted: () => void;
  close(): void;
}

type Held = Map<number, PartitionHandOut>;

export const createHeldPartitions = (options: HeldPartitionsOptions): HeldPartitions => {
  const { topic, memory, membership } = options;
  const held: Held = new Map();
  const reading = createReading(options, membership, held);

  return {
    ...createSettling(held),
    ...createDropping(held, reading),
    get isStarved() {
      return reading.isStarved;
    },
    lacksMemory: reading.lacksMemory,
    wake: reading.wake,
    get free() {
      let count = 0;
      for (const { free } of held.values()) count += free.count;
      return count;
    },
    assign: (assigned, isAll) => {
      for (const [partition, handOut] of held) {
        if (!isAll && !assigned.some((one) => one.partition === partition)) continue;
        handOut.close();
        held.delete(partition);
      }
      for (const { partition } of assigned) held.set(partition, createPartitionHandOut(memory.give));
      reading.restart();
    },
    giveUp: (revoked) => {
      for (const { partition } of revoked) {
        held.get(partition)?.close();
        reading.forget(partition);
      }
    },
    add: (records) => {
      const [first] = records;
      if (first === undefined || reading.isMissing(first.partition)) return;
      held.get(first.partition)?.add(keptOf(records, options, reading));
      reading.noteArrival();
      reading.regulate();
    },
    pass: ({ partition, offset }) => {
      if (!reading.isMissing(partition)) held.get(partition)?.pass(offset);
    },
    take: (maxRecords, maxBytes) => {
      const taken = takeFrom(held, maxRecords, maxBytes);
      reading.regulate();
      return taken;
    },
    newPositions: () =>
      [...held].flatMap(([partition, handOut]) => {
        const offset = handOut.newPosition();
        return offset === undefined ? [] : [{ topic, partition, offset }];
      }),
    close: () => {
      for (const handOut of held.values()) handOut.close();
    },
  };
};

/** Encodes records while there is memory. Marks the first record without memory as missed, to be read again. */
const keptOf = (
  records: readonly ConsumedRecord[],
  { memory, toEvent }: HeldPartitionsOptions,
  reading: Reading,
): readonly KeptRecord[] => {
  const all: KeptRecord[] = [];
  for (const record of records) {
    const event = toEvent(record);
    const cost = memory.costOf(Buffer.isBuffer(event) ? event.length : recordBytes(event));
    if (!memory.tryTake(cost)) {
      reading.miss(record.partition, record.offset);
      memory.awaitMemory();
      break;
    }
    all.push({ offset: record.offset, event, cost });
  }
  return all;
};

const createDropping = (held: Held, reading: Reading): Pick<HeldPartitions, "drop" | "wanted"> => {
  let dropped = false;
  return {
    drop: () => {
      for (const [partition, handOut] of held) {
        const offset = handOut.dropTail();
        if (offset === undefined) continue;
        reading.miss(partition, offset);
        dropped = true;
      }
    },
    wanted: () => {
      if (dropped) reading.wake();
      dropped = false;
    },
  };
};

const createSettling = (held: Held): Pick<HeldPartitions, "settled" | "noteSettled"> => {
  let waiting: (() => void)[] = [];
  return {
    settled: async (revoked) => {
      const given = new Map(
        [...held].filter(([partition]) => revoked.some((one) => one.partition === partition)),
      );
      while ([...given.values()].some(({ isOut }) => isOut))
        await new Promise<void>((resolve) => waiting.push(resolve));
      for (const [partition, handOut] of given) if (held.get(partition) === handOut) held.delete(partition);
    },
    noteSettled: () => {
      const woken = waiting;
      waiting = [];
      for (const wake of woken) wake();
    },
  };
};

const takeFrom = (
  held: Map<number, PartitionHandOut>,
  maxRecords: number,
  maxBytes: number,
): readonly Taken[] => {
  const all: Taken[] = [];
  let records = maxRecords;
  let bytes = maxBytes;
  for (const [partition, handOut] of [...held]) {
    const before = handOut.free.bytes;
    const taken = bytes > 0 ? handOut.take(records, bytes) : undefined;
    if (taken === undefined) continue;
    all.push(taken);
    records -= taken.records.length;
    bytes -= before - handOut.free.bytes;
    // The partition moves to the end of the order, so that a busy partition doesn't starve the others.
    held.delete(partition);
    held.set(partition, handOut);
  }
  return all;
};
