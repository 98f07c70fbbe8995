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
