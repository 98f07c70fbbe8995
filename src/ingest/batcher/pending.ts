/** One call to the batcher that waits for its outcomes: one object for all its records, however many they are. */
import type { AppendOutcome, BrokerRecord } from "../../broker/broker.ts";
import { recordBytes } from "../../broker/record-bytes.ts";
import { GatewayError } from "../../errors.ts";

export interface Pending {
  readonly records: readonly BrokerRecord[];
  /** In the milliseconds of `performance.now()`, as `deadline`. */
  readonly arrived: number;
  /** When what isn't answered fails. */
  readonly deadline: number;
  /** Records from here on haven't been handed to the broker. */
  taken: number;
  answered: number;
  /** What has been answered so far, where one append didn't answer all. */
  outcomes: AppendOutcome[] | undefined;
  settled: boolean;
  /** Who has to go first, where calls keep an order; let go of once it has, so that a stream is no endless chain. */
  after: Pending | undefined;
  readonly resolve: (outcomes: readonly AppendOutcome[]) => void;
}

/** A call that arrives now. */
export const createPending = (
  records: readonly BrokerRecord[],
  timeoutMs: number,
  resolve: Pending["resolve"],
): Pending => {
  const arrived = performance.now();
  return {
    records,
    arrived,
    deadline: arrived + timeoutMs,
    taken: 0,
    answered: 0,
    outcomes: undefined,
    settled: false,
    after: undefined,
    resolve,
  };
};

/** The same failure for each of the records. */
export const failEach = (records: readonly BrokerRecord[], error: GatewayError): readonly AppendOutcome[] => {
  const outcome: AppendOutcome = { status: "failed", error };
  return records.map(() => outcome);
};

/** Some of a pending's records in an append: `count` of them from `from` on. */
interface CallSlice {
  readonly pending: Pending;
  readonly from: number;
  readonly count: number;
}

/** Is it the pending's turn: is all of the one before it with the broker, or given up? */
const mayGo = (pending: Pending): boolean => {
  const { after } = pending;
  if (after !== undefined && !after.settled && after.taken < after.records.length) return false;
  pending.after = undefined;
  return true;
};

/** Hands a part its outcomes, which begin at `offset`. One that has expired meanwhile doesn't listen. */
export const answer = (
  { pending, from, count }: CallSlice,
  outcomes: readonly AppendOutcome[],
  offset: number,
): void => {
  if (pending.settled) return;
  if (count === pending.records.length) {
    settle(pending, outcomes.length === count ? outcomes : outcomes.slice(offset, offset + count));
    return;
  }
  pending.outcomes ??= new Array<AppendOutcome>(pending.records.length);
  for (let i = 0; i < count; i++) {
    const outcome = outcomes[offset + i];
    if (outcome !== undefined) pending.outcomes[from + i] = outcome;
  }
  pending.answered += count;
  if (pending.answered === pending.records.length) settle(pending, pending.outcomes);
};

/** Settles each record that has no outcome: those handed to the broker may be stored, the others certainly aren't. */
export const expire = (pending: Pending): void => {
  const ambiguous: AppendOutcome = { status: "failed", error: new GatewayError("BROKER_AMBIGUOUS") };
  const unavailable: AppendOutcome = { status: "failed", error: new GatewayError("BROKER_UNAVAILABLE") };
  const { outcomes, records, taken } = pending;
  settle(
    pending,
    records.map((_, i) => outcomes?.[i] ?? (i < taken ? ambiguous : unavailable)),
  );
};

const settle = (pending: Pending, outcomes: readonly AppendOutcome[]): void => {
  pending.settled = true;
  pending.after = undefined;
  pending.resolve(outcomes);
};

/** What one append carries, gathered from those who wait. */

export interface Chunk {
  readonly parts: readonly CallSlice[];
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
  const parts: CallSlice[] = [];
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
        const size = recordBytes(record);
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
