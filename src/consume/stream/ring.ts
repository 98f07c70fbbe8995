/** The newest batches of a topic, within a number of bytes. Streams read them by their numbers. */
import type { MemoryBudget } from "../../lib/memory-budget.ts";
import { type Batch, type BatchContent, createBatch } from "./batch.ts";
import type { StreamPosition } from "./stream-id.ts";

export interface Ring {
  /** The number of the oldest batch. */
  readonly first: number;
  /** The number of the next batch. */
  readonly next: number;
  /** The position before the oldest batch. */
  readonly start: StreamPosition;
  /** The position after the newest batch. */
  readonly end: StreamPosition;
  /** undefined: the ring doesn't have the batch any more, or not yet. */
  get(number: number): Batch | undefined;
  /** Drops the oldest batches above the limits. The newest batch always stays. */
  add(content: BatchContent): void;
  /** Drops all batches; streams that lack one of them are cut at the next batch. The new position is that of a new topic. */
  restart(start: StreamPosition): void;
  /** True if `memory` counts all bytes of the ring; tries again to take the missing bytes. */
  readonly fits: () => boolean;
  /** Gives all memory back. */
  readonly close: () => void;
}

export interface RingOptions {
  readonly maxBytes: number;
  readonly memory: MemoryBudget;
  readonly start: StreamPosition;
  /** Called after batches were dropped. */
  readonly onDropped: () => void;
}

/** A batch and the bytes that are counted for it. */
interface Held {
  readonly batch: Batch;
  bytes: number;
}

export const createRing = ({ maxBytes, memory, start: begin, onDropped }: RingOptions): Ring => {
  const batches = new Map<number, Held>();
  let start = begin;
  let first = 0;
  let next = 0;
  let bytes = 0;
  const count = createCount(memory);

  const drop = (): void => {
    const held = batches.get(first);
    if (held === undefined) return;
    batches.delete(first);
    first += 1;
    start = held.batch.after;
    bytes -= held.bytes;
    count.give(held.bytes);
  };

  const take = (held: Held, added: number): void => {
    const before = first;
    held.bytes += added;
    bytes += added;
    count.take(added);
    while ((bytes > maxBytes || !count.fits()) && first < next - 1) drop();
    if (first !== before) onDropped();
  };

  const dropAll = (): void => {
    while (first < next) drop();
  };

  return {
    get first() {
      return first;
    },
    get next() {
      return next;
    },
    get start() {
      return start;
    },
    get end() {
      return batches.get(next - 1)?.batch.after ?? start;
    },
    get: (number) => batches.get(number)?.batch,
    add: (content) => {
      const number = next;
      const batch = createBatch(content, (added) => {
        const held = batches.get(number);
        if (held !== undefined) take(held, added);
      });
      const held: Held = { batch, bytes: 0 };
      batches.set(number, held);
      next += 1;
      take(held, batch.bytes);
    },
    restart: (position) => {
      dropAll();
      start = position;
    },
    fits: count.fits,
    close: dropAll,
  };
};

/** Takes bytes from a budget. Bytes without space are taken later. */
const createCount = (memory: MemoryBudget) => {
  let missing = 0;
  return {
    take: (bytes: number): void => {
      missing += bytes;
    },
    fits: (): boolean => {
      if (missing > 0 && memory.tryTake(missing)) missing = 0;
      return missing === 0;
    },
    give: (bytes: number): void => {
      const free = Math.min(missing, bytes);
      missing -= free;
      memory.give(bytes - free);
    },
  };
};
