/** Appends continuously, and compares the reported outcomes with the records in the log. */
import { setTimeout as sleep } from "node:timers/promises";
import type { AppendOutcome, Broker, TopicSpec } from "../../../src/broker/broker.ts";
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
  /** Reads the topic and compares its records with the outcomes. */
  compare(brokers: readonly string[]): Promise<{
    /** Outcomes that contradict the log. Empty: all outcomes are true. */
    readonly contradictions: readonly string[];
    /** Values that are in the log more than once. */
    readonly duplicates: readonly string[];
  }>;
}

const contradictionsOf = (entries: readonly Entry[], log: ReadonlyMap<string, string>): readonly string[] => {
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
};

const duplicatesOf = (log: ReadonlyMap<string, string>): readonly string[] => {
  const seen = new Set<string>();
  return [...log.values()].filter((value) => {
    const isKnown = seen.has(value);
    seen.add(value);
    return isKnown;
  });
};

const ledgerOf = (topic: string, entries: readonly Entry[]): Ledger => ({
  compare: async (brokers) => {
    const log = new Map(
      (await readTopic(brokers, topic)).map(({ partition, offset, value }) => [
        `${partition}/${offset}`,
        value.toString(),
      ]),
    );
    return { contradictions: contradictionsOf(entries, log), duplicates: duplicatesOf(log) };
  },
});

/** Appends one batch after the other, as the batcher does: never two batches of a topic at the same time. */
export const keepAppending = (broker: Broker, topic: string): Appends => {
  const entries: Entry[] = [];
  const counts = { stored: 0, failed: 0 };
  let isRunning = true;
  const until = async (condition: () => boolean): Promise<void> => {
    while (isRunning && !condition()) await sleep(10);
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
        if (outcome === undefined) return;
        entries.push({ value, outcome });
        counts[outcome.status] += 1;
      });
      // A failed append is followed by a pause, as after Retry-After.
      if (outcomes.some(({ status }) => status === "failed")) await sleep(20);
    }
  };
  const running = run();

  return {
    stored: (count) => {
      const wanted = counts.stored + count;
      return until(() => counts.stored >= wanted);
    },
    failed: () => {
      const before = counts.failed;
      return until(() => counts.failed > before);
    },
    stop: async () => {
      isRunning = false;
      await running;
      return ledgerOf(topic, entries);
    },
  };
};

/** Milliseconds. */
const CREATION_TIMEOUT = 20_000;

/**
 * Creates the topic through a broker with short time limits, which a Kafka that has just started or is busy may exceed. So the
 * call is repeated.
 */
export const created = async (broker: Broker, spec: TopicSpec): Promise<void> => {
  const deadline = performance.now() + CREATION_TIMEOUT;
  for (;;) {
    try {
      await broker.ensureTopic(spec);
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(100);
    }
  }
};

/**
 * Runs `work` for all writers at the same time. Rejects after `ms` milliseconds with the name of the phase and the names
 * of the writers that haven't finished it.
 */
export const eachWithin = async <Writer extends { readonly name: string }, T>(
  writers: readonly Writer[],
  phase: string,
  ms: number,
  work: (writer: Writer) => Promise<T>,
): Promise<readonly T[]> => {
  const busy = new Set(writers.map(({ name }) => name));
  const expired = new AbortController();
  const late = sleep(ms, undefined, { signal: expired.signal }).then(() => {
    throw new Error(`${phase}: not finished after ${ms} ms: ${[...busy].join("; ")}`);
  });
  const working = writers.map(async (writer) => {
    const result = await work(writer);
    busy.delete(writer.name);
    return result;
  });
  try {
    return await Promise.race([Promise.all(working), late]);
  } finally {
    expired.abort();
    late.catch(() => undefined);
  }
};
