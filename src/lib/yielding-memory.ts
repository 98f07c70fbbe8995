/** A part of a memory budget whose longest holder gives way when it is used up. */
import type { MemoryBudget } from "./memory-budget.ts";

export interface Holder {
  /** Ends what holds the memory, gives all of its bytes back and calls `ended`. */
  yieldMemory(): void;
}

export interface YieldingMemory {
  /** False: neither the budget nor older holders have so many bytes. */
  tryTake(bytes: number, holder: Holder): boolean;
  give(bytes: number): void;
  /** From now on the holder can be made to give way; holders that began before it are the first. */
  began(holder: Holder): void;
  ended(holder: Holder): void;
}

export const createYieldingMemory = (share: MemoryBudget): YieldingMemory => {
  const oldestFirst = new Set<Holder>();
  const fits = (bytes: number): boolean => share.usedBytes + bytes <= share.maxBytes;

  const makeRoom = (bytes: number, holder: Holder): boolean => {
    for (const oldest of oldestFirst) {
      if (oldest === holder) return false;
      oldest.yieldMemory();
      if (fits(bytes)) return true;
    }
    return false;
  };

  return {
    tryTake: (bytes, holder) => (fits(bytes) || makeRoom(bytes, holder)) && share.tryTake(bytes),
    give: (bytes) => {
      share.give(bytes);
    },
    began: (holder) => {
      oldestFirst.add(holder);
    },
    ended: (holder) => {
      oldestFirst.delete(holder);
    },
  };
};
