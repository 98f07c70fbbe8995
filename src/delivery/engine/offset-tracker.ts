/**
 * The position of a partition that may be committed, and the finished records beyond it. A record that waits for its
 * retry holds the position back. The ranges of finished offsets behind it are stored with the position, as text, so that
 * these records are not sent again after a restart.
 */
import { MAX_METADATA } from "../../broker/broker.ts";

/** The offsets from `first` up to, but not including, `end`. */
interface OffsetRange {
  readonly first: bigint;
  readonly end: bigint;
}

/** Prefix of the text. Text with another prefix is ignored. */
const VERSION = "f1:";
const RADIX = 36;
/** Pairs of numbers of up to eight digits: a partition never holds more records in memory. */
const LIST = /^(?:[0-9a-z]{1,8},[0-9a-z]{1,8})(?:,[0-9a-z]{1,8},[0-9a-z]{1,8})*$/;

/**
 * Encodes ranges that are in ascending order and not below the position: for each range, the number of offsets before it
 * and in it. Ranges that exceed the broker's limit for metadata are left out. undefined: there are no ranges.
 */
export const encodeRanges = (position: bigint, ranges: readonly OffsetRange[]): string | undefined => {
  let text = VERSION;
  let at = position;
  for (const { first, end } of ranges) {
    const separator = text === VERSION ? "" : ",";
    const next = `${separator}${(first - at).toString(RADIX)},${(end - first).toString(RADIX)}`;
    if (text.length + next.length > MAX_METADATA) break;
    text += next;
    at = end;
  }
  return text === VERSION ? undefined : text;
};

/** Returns no ranges if the text has another format. */
export const decodeRanges = (position: bigint, text: string | undefined): readonly OffsetRange[] => {
  if (text?.startsWith(VERSION) !== true || !LIST.test(text.slice(VERSION.length))) return [];
  const numbers = text.slice(VERSION.length).split(",");
  const ranges: OffsetRange[] = [];
  let at = position;
  for (let index = 0; index < numbers.length; index += 2) {
    const first = at + BigInt(parseInt(numbers[index] ?? "", RADIX));
    at = first + BigInt(parseInt(numbers[index + 1] ?? "", RADIX));
    ranges.push({ first, end: at });
  }
  return ranges;
};

/** All offsets of both lists, in ascending order. Adjacent ranges become one. */
export const mergeRanges = (
  one: readonly OffsetRange[],
  other: readonly OffsetRange[],
): readonly OffsetRange[] => {
  const merged: { first: bigint; end: bigint }[] = [];
  const sorted = [...one, ...other].sort((a, b) => (a.first < b.first ? -1 : 1));
  for (const { first, end } of sorted) {
    const last = merged.at(-1);
    if (last === undefined || first > last.end) merged.push({ first, end });
    else if (end > last.end) last.end = end;
  }
  return merged;
};

/** The position never passes a record without final outcome, however many later records are finished. */
export interface OffsetTracker {
  /** Adds records that an earlier claim, of this process or another one, has finished. */
  know(finished: readonly OffsetRange[]): void;
  /**
   * Call it with ascending offsets. An offset below the last one means that the topic was created again: the tracker
   * starts again. `timestamp`: of the record.
   */
  received(offset: bigint, timestamp: number): void;
  finished(offset: bigint): void;
  /** The partition was read up to and including this offset. Offsets that were not received need no delivery. */
  passed(offset: bigint): void;
  /** True if the record has its final outcome. */
  hasFinished(offset: bigint): boolean;
  /** The next offset to read after a restart. undefined: nothing was received yet. */
  position(): bigint | undefined;
  /** Finished offsets beyond the position, in ascending order. */
  finishedRanges(): readonly OffsetRange[];
  /** Timestamp of the first record without final outcome. */
  oldest(): number | undefined;
}

const includes = ({ first, end }: OffsetRange, offset: bigint): boolean => offset >= first && offset < end;

/** The finished offsets between the open ones, up to `next`. */
const rangesBetween = (open: Iterable<bigint>, next: bigint): readonly OffsetRange[] => {
  const ranges: OffsetRange[] = [];
  let first: bigint | undefined;
  for (const offset of open) {
    if (first !== undefined && offset > first) ranges.push({ first, end: offset });
    first = offset + 1n;
  }
  if (first !== undefined && next > first) ranges.push({ first, end: next });
  return ranges;
};

export const createOffsetTracker = (): OffsetTracker => {
  // A Map keeps the order of insertion, so its first entry is the lowest open offset.
  const open = new Map<bigint, number>();
  let known: readonly OffsetRange[] = [];
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
    // For offsets below `next`, `open` says which records are finished.
    while (known[0] !== undefined && known[0].end <= next) known = known.slice(1);
  };

  return {
    know(finished) {
      known = mergeRanges(known, finished);
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
      if (next === undefined || offset >= next) return known.some((range) => includes(range, offset));
      return begin !== undefined && offset >= begin && !open.has(offset);
    },
    position,
    finishedRanges: () => {
      if (next === undefined) return known;
      const read = next;
      const ahead = known.map(({ first: from, end }) => ({ first: from > read ? from : read, end }));
      return mergeRanges(rangesBetween(open.keys(), read), ahead);
    },
    oldest: () => first()?.[1],
  };
};
