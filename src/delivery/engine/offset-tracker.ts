import { MAX_METADATA } from "../../broker/broker.ts";

/**
 * Finished records beyond a position, as ranges of offsets, and their text, which is stored with the position: a record that
 * waits for its retry holds the position, and those behind it are not sent again because of that.
 */

/** The offsets from `first` up to, but not including, `end`. */
interface OffsetRange {
  readonly first: bigint;
  readonly end: bigint;
}

/** Of the text's format; a text with another beginning says nothing. */
const VERSION = "f1:";
const RADIX = 36;
/** A number of up to eight digits; a partition doesn't hold that many records in memory. */
const LIST = /^(?:[0-9a-z]{1,8},[0-9a-z]{1,8})(?:,[0-9a-z]{1,8},[0-9a-z]{1,8})*$/;

/**
 * The ranges in growing order, none below the position: how many offsets lie before each, and how many are in it. As many
 * as a broker stores. undefined: there are none.
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

/** None where the text is none of ours. */
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

/** All offsets of both, in growing order; ranges that touch become one. */
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

/**
 * The position of a partition that may be committed: never past a record without final outcome, however many records
 * after it are done.
 */
export interface OffsetTracker {
  /** These were finished before: by an earlier claim, of this process or another one. */
  know(finished: readonly OffsetRange[]): void;
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
  // A Map keeps the order of insertion, so that its first entry is the lowest open offset.
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
    // What was read is told by `open`.
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
