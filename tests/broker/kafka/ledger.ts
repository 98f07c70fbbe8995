/** Appends continuously, and compares the reported outcomes with the records in the log. */
import { setTimeout as sleep } from "node:timers/promises";
import type { AppendOutcome, Broker } from "../../../src/broker/broker.ts";
import { readTopic } from "../../support/each-broker.ts";

export const PARTITIONS = 3;
const RECORDS_PER_APPEND = 20;

interface Entry {
  readonly value: string;
  readonly outcome: AppendOutcome;
}

export interface Appends {
  /** Resolves when `count` more records have been stored. */
  stored(count: number): Promise<void>;
  /** Resolves when the next append has failed. */
  failed(): Promise<void>;
  /** Stops after the current append. */
  stop(): Promise<Ledger>;
}

export interface Ledger {
  /** Outcomes that contradict the log. Empty: all outcomes are true. */
  contradictions(brokers: readonly string[]): Promise<readonly string[]>;
  /** Values that are in the log more than once. */
  duplicates(brokers: readonly string[]): Promise<readonly string[]>;
}

const ledgerOf = (topic: string, entries: readonly Entry[]): Ledger => {
  const valuesAt = async (brokers: readonly string[]): Promise<Map<string, string>> =>
    new Map(
      (await readTopic(brokers, topic)).map(({ partition, offset, value }) => [
        `${partition}/${offset}`,
        value.toString(),
      ]),
    );
  return {
    contradictions: async (brokers) => {
      const log = await valuesAt(brokers);
      const present = new Set(log.values());
      const last = new Map<number, bigint>();
      return entries.flatMap(({ value, outcome }) => {
        if (outcome.status === "failed") {
          const { code } = outcome.error;
          if (code === "BROKER_AMBIGUOUS" || !present.has(value)) return [];
          return [`${value} is stored, but its outcome was ${code}`];
        }
        const { partition, offset } = outcome;
        const before = last.get(partition) ?? -1n;
        last.set(partition, offset);
        const found = log.get(`${partition}/${offset}`);
        if (found !== value) return [`${value} should be at ${partition}/${offset}, but ${found} is there`];
        return offset > before ? [] : [`${value} is stored before a record that was appended earlier`];
      });
    },
    duplicates: async (brokers) => {
      const values = [...(await valuesAt(brokers)).values()];
      return values.filter((value, i) => values.indexOf(value) !== i);
    },
  };
};

/** Appends one batch after the other, as the batcher does: never two batches of a topic at the same time. */
export const keepAppending = (broker: Broker, topic: string): Appends => {
  const entries: Entry[] = [];
  let isRunning = true;
  const countOf = (status: AppendOutcome["status"]): number =>
    entries.filter(({ outcome }) => outcome.status === status).length;
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await sleep(10);
  };

  const run = async (): Promise<void> => {
    for (let append = 0; isRunning; append++) {
      const values = Array.from({ length: RECORDS_PER_APPEND }, (_, i) => `${append}-${i}`);
      const outcomes = await broker.append(
        topic,
        values.map((value, i) => ({
          key: null,
          value: Buffer.from(value),
          headers: [],
          timestamp: Date.now(),
          partition: i % PARTITIONS,
        })),
      );
      values.forEach((value, i) => {
        const outcome = outcomes[i];
        if (outcome !== undefined) entries.push({ value, outcome });
      });
      // A failed append is followed by a pause, as after Retry-After.
      if (outcomes.some(({ status }) => status === "failed")) await sleep(20);
    }
  };
  const running = run();

  return {
    stored: (count) => {
      const wanted = countOf("stored") + count;
      return until(() => countOf("stored") >= wanted);
    },
    failed: () => {
      const before = countOf("failed");
      return until(() => countOf("failed") > before);
    },
    stop: async () => {
      isRunning = false;
      await running;
      return ledgerOf(topic, entries);
    },
  };
};
