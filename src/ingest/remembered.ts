/** What is remembered of finished calls: bounded in time and in bytes, the least used of it is forgotten first. */
import { LRUCache } from "lru-cache";
import type { MemoryBudget } from "../lib/memory-budget.ts";

export interface Remembered<T extends object> {
  get(name: string): T | undefined;
  /**
   * Takes memory for what a call is going to leave, and forgets older calls for it. "too large": there is never so much.
   * "full": others use the memory now.
   */
  reserve(bytes: number): "reserved" | "too large" | "full";
  /** Gives reserved memory back. */
  release(bytes: number): void;
  /** Remembers for so many milliseconds; its memory is reserved. */
  keep(name: string, value: T, kept: { readonly bytes: number; readonly ttlMs: number }): void;
}

export interface RememberedOptions {
  readonly budget: MemoryBudget;
  /** Milliseconds. */
  readonly now: () => number;
}

interface Entry<T> {
  readonly value: T;
  readonly bytes: number;
}

export const createRemembered = <T extends object>({ budget, now }: RememberedOptions): Remembered<T> => {
  const entries = new LRUCache<string, Entry<T>>({
    maxSize: budget.maxBytes,
    sizeCalculation: ({ bytes }) => bytes,
    ttlResolution: 0,
    perf: { now },
    dispose: ({ bytes }) => {
      budget.give(bytes);
    },
  });
  return {
    get: (name) => entries.get(name)?.value,
    reserve: (bytes) => {
      if (bytes > budget.maxBytes) return "too large";
      while (budget.usedBytes + bytes > budget.maxBytes && entries.size > 0) entries.pop();
      return budget.tryTake(bytes) ? "reserved" : "full";
    },
    release: (bytes) => {
      budget.give(bytes);
    },
    keep: (name, value, { bytes, ttlMs }) => {
      entries.set(name, { value, bytes }, { ttl: ttlMs });
    },
  };
};
