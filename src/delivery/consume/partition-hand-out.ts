/** One partition's records on their way into answers: which are free, which are out, and how far all are consumed. */
import type { ConsumedRecord } from "../../broker/broker.ts";

/** Neighbours that share a fate. */
interface Segment {
  readonly records: ConsumedRecord[];
  state: "free" | "out" | "consumed";
}

/** Records taken together; exactly one of the two ends it. */
export interface Taken {
  readonly records: readonly ConsumedRecord[];
  consume(): void;
  /** Makes them free again, in their old place. */
  release(): void;
}

export interface PartitionHandOut {
  /** Records that nobody has, and their bytes. */
  readonly free: { readonly count: number; readonly bytes: number };
  /** Are some taken and neither consumed nor released? */
  readonly isOut: boolean;
  add(records: readonly ConsumedRecord[]): void;
  /** The first free ones in offset order, as many as both bounds allow; one at least, where there is one. */
  take(maxRecords: number, maxBytes: number): Taken | undefined;
  /** The offset below which everything is consumed, if it has moved since it was last asked for. */
  newPosition(): bigint | undefined;
  /** Forgets what is free. */
  clear(): void;
}

export const createPartitionHandOut = (): PartitionHandOut => {
  let segments: Segment[] = [];
  let position: bigint | undefined;
  const free = { count: 0, bytes: 0 };

  const count = (records: readonly ConsumedRecord[], sign: 1 | -1): void => {
    free.count += sign * records.length;
    free.bytes += sign * bytesOf(records);
  };

  const settle = (segment: Segment, state: "free" | "consumed"): void => {
    segment.state = state;
    if (state === "free") count(segment.records, 1);
    while (segments[0]?.state === "consumed") {
      const last = segments.shift()?.records.at(-1);
      if (last !== undefined) position = last.offset + 1n;
    }
  };

  /** The first `length` records of a free segment, out; what remains of it stays free behind them. */
  const cut = (at: number, segment: Segment, length: number): Segment => {
    const out: Segment = { records: segment.records.slice(0, length), state: "out" };
    const rest: Segment = { records: segment.records.slice(length), state: "free" };
    segments.splice(at, 1, ...(rest.records.length > 0 ? [out, rest] : [out]));
    count(out.records, -1);
    return out;
  };

  return {
    free,
    get isOut() {
      return segments.some(({ state }) => state === "out");
    },
    add: (records) => {
      const last = segments.at(-1);
      if (last?.state === "free") for (const record of records) last.records.push(record);
      else segments.push({ records: [...records], state: "free" });
      count(records, 1);
    },
    take: (maxRecords, maxBytes) => {
      const at = segments.findIndex(({ state }) => state === "free");
      const segment = segments[at];
      if (segment === undefined || maxRecords < 1) return undefined;
      const out = cut(at, segment, fitting(segment.records, maxRecords, maxBytes));
      return {
        records: out.records,
        consume: () => {
          settle(out, "consumed");
        },
        release: () => {
          settle(out, "free");
        },
      };
    },
    newPosition: () => {
      const moved = position;
      position = undefined;
      return moved;
    },
    clear: () => {
      segments = segments.filter(({ state }) => state !== "free");
      Object.assign(free, { count: 0, bytes: 0 });
    },
  };
};

/** How many of the records fit, at least one: a record that is larger than any bound must not block its partition. */
const fitting = (records: readonly ConsumedRecord[], maxRecords: number, maxBytes: number): number => {
  let bytes = 0;
  let length = 0;
  for (const record of records) {
    bytes += recordBytes(record);
    if (length === maxRecords || (length > 0 && bytes > maxBytes)) break;
    length += 1;
  }
  return length;
};

const bytesOf = (records: readonly ConsumedRecord[]): number =>
  records.reduce((sum, record) => sum + recordBytes(record), 0);

/** What a record adds to an answer, roughly. */
export const recordBytes = ({ value, headers }: ConsumedRecord): number =>
  headers.reduce((sum, header) => sum + header.name.length + (header.value?.length ?? 0), value?.length ?? 0);
