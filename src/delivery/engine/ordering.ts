/**
 * Lanes: items of one lane leave one after the other, the next only after the one before is released; lanes don't wait
 * for each other. Which items share a lane is all that the kinds of order differ in.
 */
import { partitionId } from "../../broker/partitions.ts";
import type { ConsumedRecord } from "../../broker/broker.ts";
import { createFifo, type Fifo } from "../../lib/fifo.ts";

export type Ordering = "partition" | "key" | "none";

/** The lane of a record; undefined: a lane of its own. */
export type OrderKeyOf = (record: ConsumedRecord) => string | undefined;

export const ORDER_KEYS: Readonly<Record<Ordering, OrderKeyOf>> = {
  partition: partitionId,
  // "\0" is in no topic's name, so that no key can look like a partition's lane.
  key: (record) =>
    record.key === null ? partitionId(record) : `${record.topic}\0${record.key.toString("latin1")}`,
  none: () => undefined,
};

export interface OrderedQueues<T> {
  add(item: T, lane: string | undefined): void;
  /** The next item whose turn it is; its lane is blocked until it is released or put back. */
  take(): T | undefined;
  /** The item is through: its lane goes on with the next one. */
  release(item: T): void;
  /** The item is to be taken again, before everything else of its lane. */
  putBack(item: T): void;
}

interface OrderedQueue<T> {
  readonly name: string | undefined;
  readonly items: Fifo<T>;
}

export const createOrderedQueues = <T extends object>(): OrderedQueues<T> => {
  const lanes = new Map<string, OrderedQueue<T>>();
  const ready = createFifo<OrderedQueue<T>>();
  const laneOf = new Map<T, OrderedQueue<T>>();

  const open = (name: string | undefined): OrderedQueue<T> => {
    const lane: OrderedQueue<T> = { name, items: createFifo() };
    if (name !== undefined) lanes.set(name, lane);
    return lane;
  };

  return {
    add(item, name) {
      const lane = (name === undefined ? undefined : lanes.get(name)) ?? open(name);
      lane.items.push(item);
      if (lane.items.size === 1) ready.push(lane);
    },
    take() {
      const lane = ready.shift();
      const item = lane?.items.peek();
      if (lane !== undefined && item !== undefined) laneOf.set(item, lane);
      return item;
    },
    release(item) {
      const lane = laneOf.get(item);
      if (lane === undefined) return;
      laneOf.delete(item);
      lane.items.shift();
      if (lane.items.size > 0) ready.push(lane);
      else if (lane.name !== undefined) lanes.delete(lane.name);
    },
    putBack(item) {
      const lane = laneOf.get(item);
      if (lane !== undefined) ready.push(lane);
    },
  };
};
