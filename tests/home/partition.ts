/** One partition of a slots' topic, with appends and reads that a test can disturb. It can be compacted at any time. */
import type { AppendOutcome, BrokerRecord, ConsumedRecord } from "../../src/broker/broker.ts";
import { GatewayError } from "../../src/errors.ts";
import type { SlotBroker } from "../../src/home/slot-reader.ts";

/**
 * What happens to an append. `lost` and `refused` store nothing; `unanswered` stores the records without an answer; `late`
 * answers that the outcome is unknown, and `deliverLate` stores the records.
 */
export type Fate = "stored" | "unanswered" | "lost" | "unavailable" | "late" | "refused";

export interface Partition {
  readonly broker: SlotBroker;
  readonly records: readonly ConsumedRecord[];
  readonly end: bigint;
  /** Chooses the fate of each append. */
  fate: (records: readonly BrokerRecord[]) => Fate;
  /** Whether a read returns nothing although there are records. */
  readsNothing: () => boolean;
  /** Stores the oldest late append. */
  deliverLate(): void;
  /** Of the records before this offset, keeps the last one of each key. */
  compact(before: bigint): void;
  /** Removes the tombstones too. Kafka does it late: every reader has passed them. */
  compactWhole(): void;
}

export const TOPIC = "_slots";
export const SLOT = 3;

export const createPartition = (): Partition => {
  const late: (readonly BrokerRecord[])[] = [];
  let stored: readonly ConsumedRecord[] = [];
  let end = 0n;

  const store = (records: readonly BrokerRecord[]): readonly AppendOutcome[] =>
    records.map(({ key, value, headers, timestamp }) => {
      const offset = end;
      end += 1n;
      stored = [...stored, { topic: TOPIC, partition: SLOT, offset, key, value, headers, timestamp }];
      return { status: "stored", partition: SLOT, offset, timestamp };
    });
  const failed = (code: "BROKER_AMBIGUOUS" | "BROKER_UNAVAILABLE" | "RECORD_TOO_LARGE"): AppendOutcome => ({
    status: "failed",
    error: new GatewayError(code),
  });

  const partition: Partition = {
    broker: {
      append: (_, records) => {
        const fate = partition.fate(records);
        if (fate === "stored") return Promise.resolve(store(records));
        if (fate === "unanswered") store(records);
        if (fate === "late") late.push(records);
        const known = { unavailable: "BROKER_UNAVAILABLE", refused: "RECORD_TOO_LARGE" } as const;
        const code = fate === "unavailable" || fate === "refused" ? known[fate] : "BROKER_AMBIGUOUS";
        return Promise.resolve(records.map(() => failed(code)));
      },
      read: ({ offset }) => {
        const range = { low: 0n, high: end };
        if (offset > end) return Promise.reject(new GatewayError("OFFSET_OUT_OF_RANGE"));
        if (partition.readsNothing()) return Promise.resolve({ ...range, records: [], next: offset });
        const records = stored.filter((record) => record.offset >= offset);
        return Promise.resolve({ ...range, records, next: end });
      },
      watermarks: () => Promise.resolve([{ partition: SLOT, low: 0n, high: end }]),
    },
    get records() {
      return stored;
    },
    get end() {
      return end;
    },
    fate: () => "stored",
    readsNothing: () => false,
    deliverLate: () => {
      store(late.shift() ?? []);
    },
    compact: (before) => {
      const old = stored.filter(({ offset }) => offset < before);
      const last = new Map(old.map((record) => [String(record.key), record.offset]));
      stored = stored.filter(({ key, offset }) => offset >= before || last.get(String(key)) === offset);
    },
    compactWhole: () => {
      partition.compact(end);
      stored = stored.filter(({ value }) => value !== null);
    },
  };
  return partition;
};
