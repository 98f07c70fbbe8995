/** One bound, in bytes, over everything that clients make the process hold. */
export interface MemoryBudget {
  readonly maxBytes: number;
  readonly usedBytes: number;
  /** Takes all of the bytes and returns true, or takes nothing and returns false. */
  tryTake(bytes: number): boolean;
  /** Gives bytes back that were taken before. */
  give(bytes: number): void;
}

export const createMemoryBudget = (maxBytes: number): MemoryBudget => {
  let usedBytes = 0;
  return {
    maxBytes,
    get usedBytes() {
      return usedBytes;
    },
    tryTake: (bytes) => {
      if (usedBytes + bytes > maxBytes) return false;
      usedBytes += bytes;
      return true;
    },
    give: (bytes) => {
      usedBytes -= bytes;
    },
  };
};
