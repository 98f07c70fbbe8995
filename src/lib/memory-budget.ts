/** One bound, in bytes, over everything that clients make the process hold. */
export interface MemoryBudget {
  readonly maxBytes: number;
  readonly usedBytes: number;
  /** Takes all of the bytes and returns true, or takes nothing and returns false. */
  tryTake(bytes: number): boolean;
  /** Gives bytes back that were taken before. */
  give(bytes: number): void;
  /** A budget inside this one: its bytes count in both, and it never holds more than `maxBytes` of them. */
  part(maxBytes: number): MemoryBudget;
}

export const createMemoryBudget = (maxBytes: number): MemoryBudget => budget(maxBytes, undefined);

const budget = (maxBytes: number, whole: MemoryBudget | undefined): MemoryBudget => {
  let usedBytes = 0;
  const self: MemoryBudget = {
    maxBytes,
    get usedBytes() {
      return usedBytes;
    },
    tryTake: (bytes) => {
      if (usedBytes + bytes > maxBytes) return false;
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

/** A part of a memory budget whose longest holder gives way when it is used up. */

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
