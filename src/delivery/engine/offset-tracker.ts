import { mergeRuns, type Run } from "./finished-runs.ts";

/**
 * The position of a partition that may be committed: never past a record without final outcome, however many records
 * after it are done.
 */
export interface OffsetTracker {
  /** These were finished before: by an earlier claim, of this process or another one. */
  know(finished: readonly Run[]): void;
  /** Offsets come in growing order; `timestamp` as of the record. One that goes back begins anew: it is another log. */
  received(offset: bigint, timestamp: number): void;
  finished(offset: bigint): void;
  /** Read up to this offset, and nothing to be done with what wasn't received. */
  passed(offset: bigint): void;
  /** Has it got its final outcome? */
  hasFinished(offset: bigint): boolean;
  /** The next offset to read after a restart; undefined before anything was received. */
  position(): bigint | undefined;
  /** What is finished beyond the position, in growing order. */
  finishedRuns(): readonly Run[];
  /** Timestamp of the first record without final outcome. */
  oldest(): number | undefined;
}

const includes = ({ first, end }: Run, offset: bigint): boolean => offset >= first && offset < end;

/** The finished offsets between the open ones, up to `next`. */
const runsBetween = (open: Iterable<bigint>, next: bigint): readonly Run[] => {
  const runs: Run[] = [];
  let first: bigint | undefined;
  for (const offset of open) {
    if (first !== undefined && offset > first) runs.push({ first, end: offset });
    first = offset + 1n;
  }
  if (first !== undefined && next > first) runs.push({ first, end: next });
  return runs;
};

export const createOffsetTracker = (): OffsetTracker => {
  // A Map keeps the order of insertion, so that its first entry is the lowest open offset.
  const open = new Map<bigint, number>();
  let known: readonly Run[] = [];
  let begin: bigint | undefined;
  let next: bigint | undefined;

  const first = (): [offset: bigint, timestamp: number] | undefined => {
    for (const entry of open) return entry;
    return undefined;
  };
  const position = (): bigint | undefined => first()?.[0] ?? next;
  const reach = (offset: bigint): void => {
    begin ??= offset;
    next = offset + 1n;
    // What was read is told by `open`.
    while (known[0] !== undefined && known[0].end <= next) known = known.slice(1);
  };

  return {
    know(finished) {
      known = mergeRuns(known, finished);
    },
    received(offset, timestamp) {
      if (next !== undefined && offset < next) {
        open.clear();
        known = [];
        begin = undefined;
      }
      open.set(offset, timestamp);
      reach(offset);
    },
    finished(offset) {
      open.delete(offset);
    },
    passed(offset) {
      if (next === undefined || offset >= next) reach(offset);
    },
    hasFinished: (offset) => {
      if (next === undefined || offset >= next) return known.some((run) => includes(run, offset));
      return begin !== undefined && offset >= begin && !open.has(offset);
    },
    position,
    finishedRuns: () => {
      if (next === undefined) return known;
      const read = next;
      const ahead = known.map(({ first: from, end }) => ({ first: from > read ? from : read, end }));
      return mergeRuns(runsBetween(open.keys(), read), ahead);
    },
    oldest: () => first()?.[1],
  };
};
