/** Reads a topic without a consumer group: new records as they are stored, or the newest records. Nothing is committed. */
import type { Broker, ConsumedRecord, Watermarks } from "../../broker/broker.ts";
import type { GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { createSeekingReader } from "./seeking-reader.ts";

interface TailOptions {
  readonly broker: Pick<Broker, "subscribe" | "watermarks">;
  readonly clock: Clock;
  readonly topic: string;
  /** Number of stored records per partition that come first. */
  readonly last: number;
  /** Records come in the order of their partition, and none comes twice. */
  readonly onRecords: (records: readonly ConsumedRecord[]) => void;
  /** All records of the partition before this offset were passed to `onRecords`. */
  readonly onPassed?: (partition: number, offset: bigint) => void;
  /** A fault after which the tail continues by itself. */
  readonly onError: (error: GatewayError) => void;
}

interface Tail {
  close(): Promise<void>;
}

const startOf = ({ low, high }: Watermarks, last: number): bigint => {
  const start = high - BigInt(last);
  return start > low ? start : low;
};

/**
 * Passes on all records that are stored after the call. Rejects with STATION_UNKNOWN if the topic doesn't exist, and with
 * BROKER_UNAVAILABLE.
 */
const openTail = async (options: TailOptions): Promise<Tail> => {
  const { broker, clock, topic, last, onRecords, onError } = options;
  const marks = await broker.watermarks(topic);
  const next = new Map(marks.map((partition) => [partition.partition, startOf(partition, last)]));
  // A new partition is read from its first record.
  const wanted = (partition: number): bigint => next.get(partition) ?? 0n;
  const reader = createSeekingReader(
    { broker, topics: [topic], clock, onError },
    {
      wanted: ({ partition }) => wanted(partition),
      onRecords: (records) => {
        const fresh = records.filter(({ partition, offset }) => offset >= wanted(partition));
        const newest = fresh.at(-1);
        if (newest === undefined) return;
        next.set(newest.partition, newest.offset + 1n);
        onRecords(fresh);
      },
      onPassed: ({ partition, offset }) => {
        if (offset <= wanted(partition)) return;
        next.set(partition, offset);
        options.onPassed?.(partition, offset);
      },
      onRecreated: () => {
        next.clear();
      },
    },
  );
  for (const partition of next.keys()) reader.steer({ topic, partition });
  return { close: () => reader.close() };
};

export interface NewestOptions {
  readonly broker: Pick<Broker, "subscribe" | "watermarks" | "topic">;
  readonly clock: Clock;
  readonly topic: string;
  readonly count: number;
  /** Milliseconds after which the records found so far are returned. */
  readonly timeoutMs: number;
}

/**
 * At most `count` records of a topic, the newest first. Returns no records if the topic doesn't exist. Rejects with
 * BROKER_UNAVAILABLE.
 */
export const newestRecords = async (options: NewestOptions): Promise<readonly ConsumedRecord[]> => {
  const { broker, topic, count } = options;
  if ((await broker.topic(topic)) === undefined) return [];
  const filled = (await broker.watermarks(topic)).filter(({ low, high }) => high > low);
  if (filled.length === 0) return [];
  const found = await readTo(new Map(filled.map(({ partition, high }) => [partition, high - 1n])), options);
  return found.sort((one, other) => other.timestamp - one.timestamp).slice(0, count);
};

/** Reads the last records of each partition up to the offsets in `ends`. */
const readTo = async (
  ends: Map<number, bigint>,
  { broker, clock, topic, count, timeoutMs }: NewestOptions,
): Promise<ConsumedRecord[]> => {
  const found: ConsumedRecord[] = [];
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const onRecords = (records: readonly ConsumedRecord[]): void => {
    found.push(...records);
    for (const { partition, offset } of records) {
      if (offset >= (ends.get(partition) ?? offset + 1n)) ends.delete(partition);
    }
    if (ends.size === 0) finish();
  };
  const onPassed = (partition: number, offset: bigint): void => {
    if (offset > (ends.get(partition) ?? offset)) ends.delete(partition);
    if (ends.size === 0) finish();
  };
  const calledOff = clock.after(timeoutMs, finish);
  const onError = (): void => undefined;
  const tail = await openTail({ broker, clock, topic, last: count, onRecords, onPassed, onError });
  await finished;
  calledOff();
  await tail.close();
  return found;
};
