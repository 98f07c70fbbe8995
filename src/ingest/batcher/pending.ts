/** A call to the batcher that waits for its outcomes. One object holds all records of the call. */
import type { AppendOutcome, BrokerRecord } from "../../broker/broker.ts";
import { recordBytes } from "../../broker/record-bytes.ts";
import { GatewayError } from "../../errors.ts";

export interface Pending {
  readonly records: readonly BrokerRecord[];
  /** Milliseconds of `performance.now()`, like `deadline`. */
  readonly arrived: number;
  /** Records without an outcome fail at this time. */
  readonly deadline: number;
  /** Number of records that were given to the broker. */
  taken: number;
  answered: number;
  /** The outcomes so far, if the records go out in more than one append. */
  outcomes: AppendOutcome[] | undefined;
  settled: boolean;
  /**
   * The previous call with the same `Order` object (`topic-queue.ts`). It is cleared when the broker has that call, so that
   * the calls of a long stream don't stay in memory as a chain.
   */
  after: Pending | undefined;
  readonly resolve: (outcomes: readonly AppendOutcome[]) => void;
  /** Gets the outcomes of records that were in flight when the call was withdrawn. undefined: the call can't be withdrawn. */
  readonly late: Late | undefined;
  /** True: no record is sent after the append with a failed one. */
  readonly inOrder: boolean;
}

/** The outcomes of the call's records from index `from` on. */
export type Late = (from: number, outcomes: readonly AppendOutcome[]) => void;

/** A call that arrives now; `timeoutMs` sets its deadline. */
export const createPending = (
  records: readonly BrokerRecord[],
  timeoutMs: number,
  resolve: Pending["resolve"],
  { late, inOrder = false }: Partial<Pick<Pending, "late" | "inOrder">> = {},
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
    late,
    inOrder,
  };
};

/** The same failure for each of the records. */
export const failEach = (records: readonly BrokerRecord[], error: GatewayError): readonly AppendOutcome[] => {
  const outcome: AppendOutcome = { status: "failed", error };
  return records.map(() => outcome);
};

/** The records of a call that are part of one append: `count` records from index `from`. */
interface CallSlice {
  readonly pending: Pending;
  readonly from: number;
  readonly count: number;
}

/** True if the broker has all records of the previous call with the same `Order` object, or that call has failed. */
const mayGo = (pending: Pending): boolean => {
  const { after } = pending;
  if (after !== undefined && !after.settled && after.taken < after.records.length) return false;
  pending.after = undefined;
  return true;
};

/** Gives a slice its outcomes, which begin at `offset`. An expired call ignores them. */
export const answer = (
  { pending, from, count }: CallSlice,
  outcomes: readonly AppendOutcome[],
  offset: number,
): void => {
  if (pending.settled) {
    pending.late?.(from, outcomes.slice(offset, offset + count));
    return;
  }
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

/** The outcome of a record that is in flight when its call expires or is withdrawn. Compare it by identity. */
export const IN_FLIGHT: AppendOutcome = { status: "failed", error: new GatewayError("BROKER_AMBIGUOUS") };

/** Fails each record without an outcome: IN_FLIGHT if the broker has it (it may be stored), else BROKER_UNAVAILABLE. */
export const expire = (pending: Pending): void => {
  const unavailable: AppendOutcome = { status: "failed", error: new GatewayError("BROKER_UNAVAILABLE") };
  const { outcomes, records, taken } = pending;
  settle(
    pending,
    records.map((_, i) => outcomes?.[i] ?? (i < taken ? IN_FLIGHT : unavailable)),
  );
};

const settle = (pending: Pending, outcomes: readonly AppendOutcome[]): void => {
  pending.settled = true;
  pending.after = undefined;
  pending.resolve(outcomes);
};

/** True: the call must send no further record. */
export const isStopped = ({ inOrder, outcomes = [] }: Pending): boolean =>
  inOrder && outcomes.some(({ status }) => status === "failed");

/** The records of one append, taken from the waiting calls. */
export interface Chunk {
  readonly parts: readonly CallSlice[];
  readonly records: readonly BrokerRecord[];
  readonly bytes: number;
}

export interface ChunkLimits {
  /** Maximum number of records of one append. */
  readonly maxAppendRecords: number;
  /** Maximum bytes of one append. A single record may be larger. */
  readonly maxAppendBytes: number;
}

/**
 * Takes the next chunk out of `waiting`. Each call in turn gets an equal share, and the rest of the chunk is filled with
 * further records of the same calls: so a single event does not wait behind 100,000. A call with records left goes to the
 * end of the queue.
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
