import { LinkedList, type ListEntry } from "./linked-list.ts";

/** A limit, in bytes, on the memory that clients make the process use. */
export interface MemoryBudget {
  readonly maxBytes: number;
  readonly usedBytes: number;
  /** Takes all of the bytes and returns true, or takes nothing and returns false. */
  tryTake(bytes: number): boolean;
  /** Gives back bytes that were taken before. */
  give(bytes: number): void;
  /** Creates a budget inside this one. Its bytes count in both budgets, and it never holds more than `maxBytes`. */
  part(maxBytes: MaxBytes): MemoryBudget;
}

/** A function: the maximum can change. Above a new maximum, no bytes can be taken until enough are given back. */
type MaxBytes = number | (() => number);

export const createMemoryBudget = (maxBytes: MaxBytes): MemoryBudget => budget(maxBytes, undefined);

const budget = (maxBytes: MaxBytes, whole: MemoryBudget | undefined): MemoryBudget => {
  const most = typeof maxBytes === "number" ? () => maxBytes : maxBytes;
  let usedBytes = 0;
  const self: MemoryBudget = {
    get maxBytes() {
      return most();
    },
    get usedBytes() {
      return usedBytes;
    },
    tryTake: (bytes) => {
      if (usedBytes + bytes > most()) return false;
      if (whole?.tryTake(bytes) === false) return false;
      usedBytes += bytes;
      return true;
    },
    give: (bytes) => {
      usedBytes -= bytes;
      whole?.give(bytes);
    },
    part: (partBytes) => budget(partBytes, self),
  };
  return self;
};

export interface Holder {
  /** Ends the work that uses the memory, gives back all of its bytes, and passes its entry to `ended`. */
  yieldMemory(): void;
}

/** A part of a memory budget. If it is used up, the oldest holders give their memory back. */
export interface YieldingMemory {
  /** False: the budget is used up, and older holders can't free enough bytes. */
  tryTake(bytes: number, holder: Holder): boolean;
  give(bytes: number): void;
  /** From now on `yieldMemory` of the holder may be called; holders that began earlier come first. */
  began(holder: Holder): ListEntry<Holder>;
  ended(holder: ListEntry<Holder>): void;
}

export const createYieldingMemory = (share: MemoryBudget): YieldingMemory => {
  const oldestFirst = new LinkedList<Holder>();
  const fits = (bytes: number): boolean => share.usedBytes + bytes <= share.maxBytes;

  const freeBytes = (bytes: number, holder: Holder): boolean => {
    for (let oldest = oldestFirst.first; oldest !== undefined; oldest = oldestFirst.first) {
      if (oldest === holder) return false;
      oldest.yieldMemory();
      if (fits(bytes)) return true;
    }
    return false;
  };

  return {
    tryTake: (bytes, holder) => (fits(bytes) || freeBytes(bytes, holder)) && share.tryTake(bytes),
    give: (bytes) => {
      share.give(bytes);
    },
    began: (holder) => oldestFirst.add(holder),
    ended: (holder) => {
      oldestFirst.remove(holder);
    },
  };
};
