/** A topic as it grows, or its newest records, for somebody who looks: without a group, and nothing is committed. */
import type { Broker, ConsumedRecord, Watermarks } from "../../broker/broker.ts";
import type { GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { createSeekingReader } from "./seeking-reader.ts";

export interface TailOptions {
  readonly broker: Pick<Broker, "subscribe" | "watermarks">;
  readonly clock: Clock;
  readonly topic: string;
  /** So many of the records that each partition holds already come first. */
  readonly last: number;
  /** In the order of each partition, none twice. */
  readonly onRecords: (records: readonly ConsumedRecord[]) => void;
  /** Everything of the partition before this offset has come. */
  readonly onPassed?: (partition: number, offset: bigint) => void;
  /** A fault that the tail goes on from by itself. */
  readonly onError: (error: GatewayError) => void;
}

export interface Tail {
  close(): Promise<void>;
}

const startOf = ({ low, high }: Watermarks, last: number): bigint => {
  const start = high - BigInt(last);
  return start > low ? start : low;
};

/**
 * What is stored from now on comes, however long the reader takes to begin. Rejects with STATION_UNKNOWN where there is
 * no topic, and with BROKER_UNAVAILABLE.
 */
export const openTail = async (options: TailOptions): Promise<Tail> => {
  const { broker, clock, topic, last, onRecords, onError } = options;
  const marks = await broker.watermarks(topic);
  const next = new Map(marks.map((partition) => [partition.partition, startOf(partition, last)]));
  // A partition that is new begins at its first record.
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
  /** What has been found by then is the answer, in milliseconds. */
  readonly timeoutMs: number;
}

/** At most so many records of a topic, the newest first; none where there is no topic. Rejects with BROKER_UNAVAILABLE. */
export const newestRecords = async (options: NewestOptions): Promise<readonly ConsumedRecord[]> => {
  const { broker, topic, count } = options;
  if ((await broker.topic(topic)) === undefined) return [];
  const filled = (await broker.watermarks(topic)).filter(({ low, high }) => high > low);
  if (filled.length === 0) return [];
  const found = await readTo(new Map(filled.map(({ partition, high }) => [partition, high - 1n])), options);
  return found.sort((one, other) => other.timestamp - one.timestamp).slice(0, count);
};

/** The last records of each partition, up to the offsets that are given. */
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
