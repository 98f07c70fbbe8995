/** One partition's records on their way into answers: which are free, which are out, and how far all are consumed. */

/** A record as its reader gets it. */
export interface KeptRecord {
  readonly offset: bigint;
  readonly text: Buffer;
  /** Bytes of memory that it counts for. */
  readonly cost: number;
}

/** Neighbours that share a fate. */
interface Segment {
  /** Empty once they are consumed, or forgotten after `close`. */
  records: KeptRecord[];
  /** Behind the last of them, and behind offsets after it that are no records for readers. */
  end: bigint;
  state: "free" | "out" | "consumed";
}

/** Records taken together; exactly one of the two ends it. */
export interface Taken {
  readonly records: readonly KeptRecord[];
  consume(): void;
  /** Makes them free again, in their old place. */
  release(): void;
}

export interface PartitionHandOut {
  /** Records that nobody has, and what they cost. */
  readonly free: { readonly count: number; readonly bytes: number };
  /** Are some taken and neither consumed nor released? */
  readonly isOut: boolean;
  add(records: readonly KeptRecord[]): void;
  /** Everything before this offset was added; the offsets that were not are no records for readers. */
  pass(offset: bigint): void;
  /** The first free ones in offset order, as many as both bounds allow; one at least, where there is one. */
  take(maxRecords: number, maxBytes: number): Taken | undefined;
  /** The offset below which everything is consumed, if it has moved since it was last asked for. */
  newPosition(): bigint | undefined;
  /** Forgets the free records behind all others. Returns the offset of the first of them; undefined: there are none. */
  dropTail(): bigint | undefined;
  /** Forgets what is free or becomes free. What is out can still be consumed. */
  close(): void;
}

/** `forgotten` is called with the cost of records that aren't kept any more. */
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
      return takenOf(out, settle);
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

const takenOf = (out: Segment, settle: Settle): Taken => ({
  records: out.records,
  consume: () => {
    settle(out, "consumed");
  },
  release: () => {
    settle(out, "free");
  },
});

/** The first `length` records of a free segment, out; what remains of it stays free behind them. */
const cut = (segments: Segment[], whole: Segment, length: number): Segment => {
  if (length === whole.records.length) {
    whole.state = "out";
    return whole;
  }
  const out = segmentOf(whole.records.slice(0, length), "out");
  whole.records = whole.records.slice(length);
  // Offsets between two neighbours are no records for readers.
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

/** How many of the records fit, at least one: a record that is larger than any bound must not block its partition. */
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
