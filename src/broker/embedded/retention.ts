/**
 * Retention of the embedded log: frees the oldest records of each partition in the background, in small transactions. The last
 * batch of a partition always stays, because the next offset comes from it.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { asGatewayError, type GatewayError } from "../../errors.ts";
import { type Clock, pause } from "../../lib/clock.ts";
import { isInternalTopic, type TopicPartition } from "../broker.ts";
import type { Log } from "./log.ts";
import type { PartitionLog } from "./partition-log.ts";
import type { StoredBatch } from "./stored-batches.ts";

export interface RetentionOptions {
  /** Milliseconds after which a record is freed, by its timestamp. undefined: at no age. */
  readonly age: number | undefined;
  /** Maximum bytes of a partition. undefined: no maximum. */
  readonly bytes: number | undefined;
  /** The first offset of the partition that must stay; undefined: no record must stay. */
  readonly heldFrom: (of: TopicPartition) => Promise<bigint | undefined>;
  /** Called after each transaction. */
  readonly onFreed: (freed: Freed) => void;
  /** Called after each round with the number of partitions that have records to free, but must keep them (`heldFrom`). */
  readonly onHeld: (partitions: number) => void;
  /** A fault after which the next round tries again. */
  readonly onError: (error: GatewayError) => void;
}

export interface Freed {
  readonly records: number;
  readonly bytes: number;
}

export interface Retention {
  /** Resolves when no round is under way. */
  readonly stop: () => Promise<void>;
}

/** Milliseconds between two rounds. */
const ROUND_MS = 10_000;
/** Batches of one transaction, and milliseconds between two transactions, in which appends commit. */
const BATCHES = 32;
const REST_MS = 10;

type Limits = Pick<RetentionOptions, "age" | "bytes">;

/** Returns a function that resolves to the oldest batches that are too old, or that make the partition too large. */
const createDue = (clock: Clock, signal: AbortSignal) => {
  /** The bytes above the maximum. Pauses while it counts the bytes of a log that was just opened. */
  const excessOf = async (partition: PartitionLog, { bytes }: Limits): Promise<number> => {
    if (bytes === undefined) return 0;
    for (;;) {
      const counted = partition.bytes(BATCHES);
      if (counted !== undefined) return counted - bytes;
      if (signal.aborted) return 0;
      await pause(clock, REST_MS, signal);
    }
  };

  return async (partition: PartitionLog, limits: Limits): Promise<readonly StoredBatch[]> => {
    const excess = await excessOf(partition, limits);
    const oldest = limits.age === undefined ? -Infinity : clock.now() - limits.age;
    return partition.oldest(BATCHES, ({ newest }, bytesBefore) => newest < oldest || bytesBefore < excess);
  };
};

interface StartOptions extends RetentionOptions {
  /** The retention in milliseconds of a topic that has its own (`TopicSpec.retentionMs`). */
  readonly retentionOf: (topic: string) => number | undefined;
}

/** Starts with a round. Internal topics without a retention of their own keep all records. */
export const startRetention = (
  log: Pick<Log, "partitions" | "free">,
  clock: Clock,
  { heldFrom, onFreed, onHeld, onError, retentionOf, ...limits }: StartOptions,
): Retention => {
  const stopped = new AbortController();
  const { signal } = stopped;
  const due = createDue(clock, signal);

  /** undefined: the topic keeps all records. */
  const limitsOf = (topic: string): Limits | undefined => {
    const own = retentionOf(topic);
    if (own !== undefined) return { age: own, bytes: undefined };
    return isInternalTopic(topic) ? undefined : limits;
  };

  /** Resolves to true if records that are due must stay. */
  const sweep = async (partition: PartitionLog, wanted: Limits): Promise<boolean> => {
    while (!signal.aborted) {
      const found = await due(partition, wanted);
      if (found.length === 0) return false;
      const held = await heldFrom(partition.of);
      const free = held === undefined ? found : found.filter(({ end }) => BigInt(end) <= held);
      if (free.length > 0) {
        await log.free(partition, free);
        onFreed(totalOf(free));
      }
      if (free.length < found.length) return true;
      await pause(clock, REST_MS, signal);
    }
    return false;
  };

  const round = async (): Promise<void> => {
    let held = 0;
    for (const partition of log.partitions()) {
      if (signal.aborted) return;
      const wanted = limitsOf(partition.of.topic);
      if (wanted === undefined) continue;
      if (await sweep(partition, wanted)) held += 1;
      await nextTurn();
    }
    onHeld(held);
  };

  const rounds = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await round();
      } catch (error) {
        onError(asGatewayError(error));
      }
      await pause(clock, ROUND_MS, signal);
    }
  };

  const running = rounds();
  return {
    stop: async () => {
      stopped.abort();
      await running;
    },
  };
};

const totalOf = (batches: readonly StoredBatch[]): Freed => ({
  records: batches.reduce((sum, { first, end }) => sum + end - first, 0),
  bytes: batches.reduce((sum, { bytes }) => sum + bytes, 0),
});
