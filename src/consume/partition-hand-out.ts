/** The buffered records of one partition: which are free, which are taken for an answer, and the consumed position. */
import type { ConsumedRecord } from "../broker/broker.ts";

/** The JSON of an event; with a schema registry the record, because each call may ask for another decoding. */
export type KeptEvent = Buffer | ConsumedRecord;

export interface KeptRecord {
  readonly offset: bigint;
  readonly event: KeptEvent;
  /** Bytes of memory that the record counts for. */
  readonly cost: number;
}

/** Consecutive records with the same state. */
interface Segment {
  /** Empty after the records are consumed, or dropped after `close`. */
  records: KeptRecord[];
  /** The offset after the last record and after following offsets without a record. */
  end: bigint;
  state: "free" | "out" | "consumed";
}

/** Records that were taken together. The caller must call exactly one of `consume` and `release`. */
export interface Taken {
  readonly records: readonly KeptRecord[];
  consume(): void;
  /** Makes the records free again, at their offsets. */
  release(): void;
  /** Keeps the first `count` records, at least one, and makes the others free again. */
  keep(count: number): void;
}

export interface PartitionHandOut {
  /** Number and bytes of the free records. */
  readonly free: { readonly count: number; readonly bytes: number };
  /** True if records are taken and neither consumed nor released. */
  readonly isOut: boolean;
  add(records: readonly KeptRecord[]): void;
  /** All records before this offset have been added. */
  pass(offset: bigint): void;
  /** Takes the first free records in offset order, within both limits, but at least one. undefined: no record is free. */
  take(maxRecords: number, maxBytes: number): Taken | undefined;
  /** The offset before which all records are consumed; undefined: it has not changed since the last call. */
  newPosition(): bigint | undefined;
  /** Drops the free records after the last taken record. Returns the first dropped offset; undefined: no free records. */
  dropTail(): bigint | undefined;
  /** Drops free records, and released ones from now on. Taken records can still be consumed. */
  close(): void;
}

/** `forgotten` is called with the cost of records that are no longer in memory. */
export const createPartitionHandOut = (forgotten: (cost: number) => void): PartitionHandOut => {
  const segments: Segment[] = [];
  let [position, closed]: [bigint | undefined, boolean] = [undefined, false];
  const { free, count } = createFree();
  const forget = (segment: Segment): void => {
    forgotten(costOf(segment.records));
    segment.records = [];
  };

  const settle: Settle = (segment, state) => {
    segment.state = state;
    if (state === "consumed" || closed) forget(segment);
    else count(segment.records, 1);
    while (segments[0]?.state === "consumed") position = segments.shift()?.end;
  };

  return {
    free,
    get isOut() {
      return segments.some(({ state }) => state === "out");
    },
    add: (records) => {
      if (closed) forgotten(costOf(records));
      else {
        append(segments, records);
        count(records, 1);
      }
    },
    pass: (offset) => {
      const last = segments.at(-1);
      if (closed) return;
      if (last === undefined) position = offset;
      else if (offset > last.end) last.end = offset;
    },
    take: (maxRecords, maxBytes) => {
      const segment = segments.find(({ state }) => state === "free");
      if (segment === undefined || maxRecords < 1 || closed) return undefined;
      const out = cut(segments, segment, fitting(segment.records, maxRecords, maxBytes));
      count(out.records, -1);
      return takenOf(segments, out, settle);
    },
    newPosition: () => {
      const moved = position;
      position = undefined;
      return moved;
    },
    dropTail: () => {
      const last = segments.at(-1);
      const [first] = last?.records ?? [];
      if (last?.state !== "free" || first === undefined) return undefined;
      segments.pop();
      count(last.records, -1);
      forget(last);
      return first.offset;
    },
    close: () => {
      closed = true;
      Object.assign(free, { count: 0, bytes: 0 });
      for (const segment of segments) if (segment.state === "free") forget(segment);
    },
  };
};

const createFree = () => {
  const free = { count: 0, bytes: 0 };
  return {
    free,
    count: (records: readonly KeptRecord[], sign: 1 | -1): void => {
      free.count += sign * records.length;
      free.bytes += sign * costOf(records);
    },
  };
};

type Settle = (segment: Segment, state: "free" | "consumed") => void;

const takenOf = (segments: Segment[], out: Segment, settle: Settle): Taken => {
  let held = out;
  let { records } = out;
  return {
    get records() {
      return records;
    },
    consume: () => {
      settle(held, "consumed");
    },
    release: () => {
      settle(held, "free");
    },
    keep: (count) => {
      if (count >= records.length) return;
      const rest = held;
      held = cut(segments, rest, count);
      ({ records } = held);
      settle(rest, "free");
    },
  };
};

/** Takes the first `length` records of a segment as a segment of their own; the rest keeps its state. */
const cut = (segments: Segment[], whole: Segment, length: number): Segment => {
  if (length === whole.records.length) {
    whole.state = "out";
    return whole;
  }
  const out = segmentOf(whole.records.slice(0, length), "out");
  whole.records = whole.records.slice(length);
  // There are no records for readers between two consecutive records.
  out.end = whole.records[0]?.offset ?? out.end;
  segments.splice(segments.indexOf(whole), 0, out);
  return out;
};

const append = (segments: Segment[], records: readonly KeptRecord[]): void => {
  if (records.length === 0) return;
  const last = segments.at(-1);
  if (last?.state === "free") {
    for (const record of records) last.records.push(record);
    last.end = endOf(last.records);
  } else segments.push(segmentOf([...records], "free"));
};

const segmentOf = (records: KeptRecord[], state: Segment["state"]): Segment => ({
  records,
  end: endOf(records),
  state,
});

const endOf = (records: readonly KeptRecord[]): bigint => (records.at(-1)?.offset ?? -1n) + 1n;

/** How many of the records fit; at least one, so that a record above the limit doesn't block its partition. */
const fitting = (records: readonly KeptRecord[], maxRecords: number, maxBytes: number): number => {
  let bytes = 0;
  let length = 0;
  for (const { cost } of records) {
    bytes += cost;
    if (length === maxRecords || (length > 0 && bytes > maxBytes)) break;
    length += 1;
  }
  return length;
};

const costOf = (records: readonly KeptRecord[]): number => records.reduce((sum, { cost }) => sum + cost, 0);
