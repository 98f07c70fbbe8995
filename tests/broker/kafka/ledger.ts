/** Appends that go on and on, and a comparison of what they were told with what the log has in the end. */
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
  /** Resolves when so many more records have been stored. */
  stored(count: number): Promise<void>;
  /** Resolves when an append has failed from now on. */
  failed(): Promise<void>;
  /** Ends after the append that is under way. */
  stop(): Promise<Ledger>;
}

export interface Ledger {
  /** What the answers said that the log contradicts; empty where each was true. */
  contradictions(brokers: readonly string[]): Promise<readonly string[]>;
  /** Values that the log has more than once. */
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
          return [`${value} is stored, and was told ${code}`];
        }
        const { partition, offset } = outcome;
        const before = last.get(partition) ?? -1n;
        last.set(partition, offset);
        const found = log.get(`${partition}/${offset}`);
        if (found !== value) return [`${value} should be at ${partition}/${offset}, where ${found} is`];
        return offset > before ? [] : [`${value} is before what was appended before it`];
      });
    },
    duplicates: async (brokers) => {
      const values = [...(await valuesAt(brokers)).values()];
      return values.filter((value, i) => values.indexOf(value) !== i);
    },
  };
};

/** One append after the other, as the batcher makes them: never two of a topic at once. */
export const keepAppending = (broker: Broker, topic: string): Appends => {
  const entries: Entry[] = [];
  let going = true;
  const numberOf = (status: AppendOutcome["status"]): number =>
    entries.filter(({ outcome }) => outcome.status === status).length;
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await sleep(10);
  };

  const run = async (): Promise<void> => {
    for (let append = 0; going; append++) {
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
      // Who is told to come again does so a little later.
      if (outcomes.some(({ status }) => status === "failed")) await sleep(20);
    }
  };
  const running = run();

  return {
    stored: (count) => {
      const wanted = numberOf("stored") + count;
      return until(() => numberOf("stored") >= wanted);
    },
    failed: () => {
      const before = numberOf("failed");
      return until(() => numberOf("failed") > before);
    },
    stop: async () => {
      going = false;
      await running;
      return ledgerOf(topic, entries);
    },
  };
};
