/** The bytes that the spool may use on the disk. */
export interface Room {
  readonly usedBytes: number;
  /** True: bytes did not fit, and none were given back since. */
  readonly isFull: boolean;
  /** Takes the bytes and returns true, or takes nothing and returns false. */
  tryTake(bytes: number): boolean;
  /** Takes bytes that are on the disk already. */
  found(bytes: number): void;
  give(bytes: number): void;
}

export const createRoom = (maxBytes: number): Room => {
  let usedBytes = 0;
  let isFull = false;
  return {
    get usedBytes() {
      return usedBytes;
    },
    get isFull() {
      return isFull || usedBytes >= maxBytes;
    },
    tryTake: (bytes) => {
      isFull = usedBytes + bytes > maxBytes;
      if (isFull) return false;
      usedBytes += bytes;
      return true;
    },
    found: (bytes) => {
      usedBytes += bytes;
    },
    give: (bytes) => {
      usedBytes -= bytes;
      if (bytes > 0) isFull = false;
    },
  };
};
