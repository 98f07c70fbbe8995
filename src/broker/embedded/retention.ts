/**
 * Retention of the embedded log: frees the oldest records of each partition in the background, in small transactions. The last
 * batch of a partition always stays.
 */
import { asGatewayError, type GatewayError } from "../../errors.ts";
import { type Clock, pause } from "../../lib/clock.ts";
import { isInternalTopic, type TopicPartition } from "../broker.ts";
import type { Log } from "./log.ts";
import type { PartitionLog } from "./partition-log.ts";

export interface RetentionOptions {
  /** Milliseconds for which a record stays at least, by its timestamp. */
  readonly age: number;
  /** The first offset of the partition that must stay; undefined: no record must stay. */
  readonly heldFrom: (of: TopicPartition) => bigint | undefined;
  /** A fault after which the next round tries again. */
  readonly onError: (error: GatewayError) => void;
}

export interface Retention {
  /** Resolves when no round is under way. */
  readonly stop: () => Promise<void>;
}

/** Milliseconds between two rounds. */
const ROUND_MS = 60_000;
/** Batches of one transaction, and milliseconds between two transactions, in which appends commit. */
const BATCHES = 32;
const REST_MS = 10;

/** Starts with a round. Internal topics keep all records. */
export const startRetention = (
  log: Pick<Log, "partitions" | "free">,
  clock: Clock,
  { age, heldFrom, onError }: RetentionOptions,
): Retention => {
  const stopped = new AbortController();
  const { signal } = stopped;

  const sweep = async (partition: PartitionLog): Promise<void> => {
    while (!signal.aborted) {
      const before = clock.now() - age;
      const held = heldFrom(partition.of);
      const freed = partition.oldest(
        BATCHES,
        ({ newest, end }) => newest < before && (held === undefined || BigInt(end) <= held),
      );
      if (freed.length === 0) return;
      await log.free(partition, freed);
      await pause(clock, REST_MS, signal);
    }
  };

  const rounds = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        for (const partition of log.partitions())
          if (!isInternalTopic(partition.of.topic)) await sweep(partition);
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
