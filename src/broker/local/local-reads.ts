/** Reads of one partition without a group, on a store. */
import { GatewayError } from "../../errors.ts";
import { type Clock, pause } from "../../lib/clock.ts";
import type { PartitionRead, ReadOptions } from "../broker.ts";
import { partitionId } from "../partitions.ts";
import type { TopicPartition, TopicPartitionOffset } from "../positions.ts";
import { withOwnBytes } from "../record-bytes.ts";
import type { LocalStore } from "./store.ts";

/** Maximum number of records of one read: the store decodes them in one turn of the event loop. */
const MAX_RECORDS = 10_000;

export interface Reads {
  /** As `Broker.read`. */
  readonly read: (from: TopicPartitionOffset, options: ReadOptions) => Promise<PartitionRead>;
  /** A partition has new records. */
  readonly wake: (partition: TopicPartition) => void;
  /** Fails the waiting reads. */
  readonly close: () => void;
}

const unavailable = (cause: unknown): GatewayError => new GatewayError("BROKER_UNAVAILABLE", { cause });

const checkRange = ({ topic, partition, offset }: TopicPartitionOffset, low: bigint, high: bigint): void => {
  if (offset >= low && offset <= high) return;
  throw new GatewayError("OFFSET_OUT_OF_RANGE", {
    message: `${topic}/${partition} has the offsets ${low} to ${high} (asked for ${offset})`,
  });
};

export const createReads = (store: Pick<LocalStore, "topics" | "ends" | "read">, clock: Clock): Reads => {
  /** By partition: what ends the wait of its reads. */
  const waiting = new Map<string, Set<AbortController>>();
  let closed = false;

  const readNow = (from: TopicPartitionOffset, maxBytes: number): PartitionRead => {
    if (from.partition < 0 || from.partition >= (store.topics().get(from.topic)?.partitions ?? 0))
      throw new GatewayError("PARTITION_UNKNOWN");
    const { low, high } = store.ends(from);
    checkRange(from, low, high);
    const records = store.read(from, { records: MAX_RECORDS, bytes: maxBytes }).map(withOwnBytes);
    return { records, next: (records.at(-1)?.offset ?? from.offset - 1n) + 1n, low, high };
  };

  const newRecords = async (of: TopicPartition, { maxWaitMs, signal }: ReadOptions): Promise<void> => {
    const name = partitionId(of);
    const woken = new AbortController();
    const wake = (): void => {
      woken.abort();
    };
    const others = waiting.get(name) ?? new Set();
    waiting.set(name, others.add(woken));
    signal.addEventListener("abort", wake);
    await pause(clock, maxWaitMs, woken.signal);
    signal.removeEventListener("abort", wake);
    others.delete(woken);
    if (others.size === 0) waiting.delete(name);
  };

  return {
    read: async (from, options) => {
      const check = (): void => {
        if (closed || options.signal.aborted) throw unavailable(options.signal.reason);
      };
      check();
      const found = readNow(from, options.maxBytes);
      if (found.records.length > 0 || options.maxWaitMs <= 0) return found;
      await newRecords(from, options);
      check();
      return readNow(from, options.maxBytes);
    },
    wake: (partition) => {
      for (const woken of waiting.get(partitionId(partition)) ?? []) woken.abort();
    },
    close: () => {
      closed = true;
      for (const reads of waiting.values()) for (const woken of reads) woken.abort();
    },
  };
};
