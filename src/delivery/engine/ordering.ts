/**
 * Ordered queues. Items with the same order key leave one after another: the next item leaves after the previous item is
 * released. Queues don't wait for each other. The kinds of ordering differ only in their order keys.
 */
import { partitionId } from "../../broker/partitions.ts";
import type { ConsumedRecord } from "../../broker/broker.ts";
import { createFifo, type Fifo } from "../../lib/fifo.ts";

export type Ordering = "partition" | "key" | "none";

/** The order key of a record. undefined: the record has no order. */
export type OrderKeyOf = (record: ConsumedRecord) => string | undefined;

export const ORDER_KEYS: Readonly<Record<Ordering, OrderKeyOf>> = {
  partition: partitionId,
  // No topic name contains "\0", so a record key can't equal the order key of a partition.
  key: (record) =>
    record.key === null ? partitionId(record) : `${record.topic}\0${record.key.toString("latin1")}`,
  none: () => undefined,
};

export interface OrderedQueues<T> {
  add(item: T, orderKey: string | undefined): void;
  /** Returns the next item. Its queue is blocked until the item is released or put back. */
  take(): T | undefined;
  /** Removes the item, and unblocks its queue. */
  release(item: T): void;
  /** `take` returns the item again, before the other items of its queue. */
  putBack(item: T): void;
}

interface OrderedQueue<T> {
  readonly orderKey: string | undefined;
  readonly items: Fifo<T>;
}

export const createOrderedQueues = <T extends object>(): OrderedQueues<T> => {
  const queues = new Map<string, OrderedQueue<T>>();
  const ready = createFifo<OrderedQueue<T>>();
  const queueOf = new Map<T, OrderedQueue<T>>();

  const open = (orderKey: string | undefined): OrderedQueue<T> => {
    const queue: OrderedQueue<T> = { orderKey, items: createFifo() };
    if (orderKey !== undefined) queues.set(orderKey, queue);
    return queue;
  };

  return {
    add(item, orderKey) {
      const queue = (orderKey === undefined ? undefined : queues.get(orderKey)) ?? open(orderKey);
      queue.items.push(item);
      if (queue.items.size === 1) ready.push(queue);
    },
    take() {
      const queue = ready.shift();
      const item = queue?.items.peek();
      if (queue !== undefined && item !== undefined) queueOf.set(item, queue);
      return item;
    },
    release(item) {
      const queue = queueOf.get(item);
      if (queue === undefined) return;
      queueOf.delete(item);
      queue.items.shift();
      if (queue.items.size > 0) ready.push(queue);
      else if (queue.orderKey !== undefined) queues.delete(queue.orderKey);
    },
    putBack(item) {
      const queue = queueOf.get(item);
      if (queue !== undefined) ready.push(queue);
    },
  };
};
