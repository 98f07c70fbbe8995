/** What one append carries, gathered from those who wait. */
import type { BrokerRecord } from "../../broker/broker.ts";
import { mayGo, type Part, type Pending, sizeOf } from "./pending.ts";

export interface Chunk {
  readonly parts: readonly Part[];
  readonly records: readonly BrokerRecord[];
  readonly bytes: number;
}

export interface ChunkLimits {
  /** One append carries at most so many records … */
  readonly maxAppendRecords: number;
  /** … and, unless a single record is larger, so many bytes. */
  readonly maxAppendBytes: number;
}

/**
 * Takes the next chunk out of `waiting`. Everyone in turn gets an equal share, and what room is left goes to those who
 * still have records, so that a single event doesn't wait behind 100,000. Who isn't done goes to the back of the queue.
 */
export const gather = (waiting: Pending[], limits: ChunkLimits): Chunk => {
  const builder = createBuilder(limits);
  const share = Math.max(1, Math.floor(limits.maxAppendRecords / waiting.length));
  let visited = 0;
  for (const pending of waiting) {
    if (builder.isFull()) break;
    builder.add(pending, share);
    visited++;
  }
  const served = waiting.splice(0, visited);
  for (const pending of served) builder.add(pending, limits.maxAppendRecords);
  for (const pending of served) if (pending.taken < pending.records.length) waiting.push(pending);
  return builder.chunk();
};

interface ChunkBuilder {
  isFull(): boolean;
  add(pending: Pending, most: number): void;
  chunk(): Chunk;
}

const createBuilder = ({ maxAppendRecords, maxAppendBytes }: ChunkLimits): ChunkBuilder => {
  const parts: Part[] = [];
  const records: BrokerRecord[] = [];
  let bytes = 0;
  let full = false;
  return {
    isFull: () => full,
    add: (pending, most) => {
      if (!mayGo(pending)) return;
      const from = pending.taken;
      const end = Math.min(pending.records.length, from + most);
      while (!full && pending.taken < end) {
        const record = pending.records[pending.taken];
        if (record === undefined) return;
        const size = sizeOf(record);
        if (records.length > 0 && bytes + size > maxAppendBytes) {
          full = true;
          break;
        }
        records.push(record);
        bytes += size;
        pending.taken++;
        full = records.length >= maxAppendRecords;
      }
      if (pending.taken > from) parts.push({ pending, from, count: pending.taken - from });
    },
    chunk: () => ({ parts, records, bytes }),
  };
};
