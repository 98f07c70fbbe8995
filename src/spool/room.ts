/** The bytes that the spool may use on the disk. */
export interface Room {
  readonly usedBytes: number;
  /** Takes the bytes and returns true, or takes nothing and returns false. */
  tryTake(bytes: number): boolean;
  /** Takes bytes that are on the disk already. */
  found(bytes: number): void;
  give(bytes: number): void;
}

export const createRoom = (maxBytes: number): Room => {
  let usedBytes = 0;
  return {
    get usedBytes() {
      return usedBytes;
    },
    tryTake: (bytes) => {
      if (usedBytes + bytes > maxBytes) return false;
      usedBytes += bytes;
      return true;
    },
    found: (bytes) => {
      usedBytes += bytes;
    },
    give: (bytes) => {
      usedBytes -= bytes;
    },
  };
};
