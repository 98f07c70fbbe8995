/**
 * The position of a partition that may be committed: never past a record without final outcome, however many records
 * after it are done.
 */
export interface OffsetTracker {
  /** Offsets come in growing order; `timestamp` as of the record. */
  received(offset: bigint, timestamp: number): void;
  finished(offset: bigint): void;
  /** Received, and nothing to be done with it. */
  passed(offset: bigint): void;
  /** Has it been received and got its final outcome? */
  hasFinished(offset: bigint): boolean;
  /** The next offset to read after a restart; undefined before anything was received. */
  position(): bigint | undefined;
  /** Timestamp of the first record without final outcome. */
  oldest(): number | undefined;
}

export const createOffsetTracker = (): OffsetTracker => {
  // A Map keeps the order of insertion, so that its first entry is the lowest open offset.
  const open = new Map<bigint, number>();
  let begin: bigint | undefined;
  let next: bigint | undefined;
  const first = (): [offset: bigint, timestamp: number] | undefined => {
    for (const entry of open) return entry;
    return undefined;
  };
  return {
    received(offset, timestamp) {
      open.set(offset, timestamp);
      begin ??= offset;
      next = offset + 1n;
    },
    finished(offset) {
      open.delete(offset);
    },
    passed(offset) {
      begin ??= offset;
      next = offset + 1n;
    },
    hasFinished: (offset) =>
      begin !== undefined && next !== undefined && offset >= begin && offset < next && !open.has(offset),
    position: () => first()?.[0] ?? next,
    oldest: () => first()?.[1],
  };
};
