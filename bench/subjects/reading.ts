/** Reading over HTTP: clients read a filled topic as one group, in reads of 1,000 events of 256 bytes. */
import { Agent } from "undici";
import {
  batchRead,
  createInstance,
  groupAt,
  instanceRead,
  type Read,
  type ReadOptions,
  type Send,
  sender,
} from "../load/reads.ts";
import type { Measurement, Subject } from "../measurement.ts";
import { cpuSeconds, largestRss } from "../processes.ts";
import type { Stage } from "../stage.ts";

const TOPIC = "reading";
const EVENT_BYTES = 256;
const KEY_BYTES = 6;
const PER_READ = 1000;
const WAIT_MS = 1000;
/** Calls at the same time; with v2 also instances, one for each partition. */
const CLIENTS = 6;
const RECORDS_PER_SECOND = 150_000;
const MAX_RECORDS = 900_000;
const FILL_AT_ONCE = 60_000;
/** Milliseconds after which a client without events gives up. */
const LONGEST_SILENCE = 20_000;

const eventOf = (n: number): string => `{"n":${n},"text":"`.padEnd(EVENT_BYTES - 2, "x") + '"}';

const fill = async (stage: Stage, records: number): Promise<number> => {
  const kafka = await stage.kafka();
  await kafka.createTopic(TOPIC);
  for (let from = 0; from < records; from += FILL_AT_ONCE) {
    const count = Math.min(FILL_AT_ONCE, records - from);
    await kafka.fill(
      TOPIC,
      Array.from({ length: count }, (_, i) => ({ key: String(from + i), value: eventOf(from + i) })),
    );
  }
  return records;
};

interface Totals {
  count: number;
  firstAt: number;
  lastAt: number;
}

/** Reads with each client until all records are read, or until no event comes for a while. */
const readAll = async (reads: readonly Read[], records: number): Promise<Totals> => {
  const totals: Totals = { count: 0, firstAt: 0, lastAt: performance.now() };
  await Promise.all(
    reads.map(async (read) => {
      while (totals.count < records && performance.now() - totals.lastAt < LONGEST_SILENCE) {
        const { count } = await read();
        if (count === 0) continue;
        totals.lastAt = performance.now();
        totals.firstAt ||= totals.lastAt;
        totals.count += count;
      }
    }),
  );
  return totals;
};

type Readers = (send: Send, options: ReadOptions) => Promise<readonly Read[]>;

const batchReaders: Readers = (send, options) =>
  Promise.resolve(Array.from({ length: CLIENTS }, () => batchRead(send, options)));

const instanceReaders: Readers = (send, options) =>
  Promise.all(
    Array.from({ length: CLIENTS }, async (_, n) => {
      const instance = await createInstance(send, options, `instance-${n}`);
      return instanceRead(send, instance, options, KEY_BYTES + EVENT_BYTES);
    }),
  );

/** Resolves to the number of records. The subjects share the topic, because each run reads it as a new group. */
type Fill = (records: number) => Promise<number>;

interface ReadingOptions {
  readonly name: string;
  readonly fillOnce: Fill;
  readonly readers: Readers;
  /** The gateway of the group's home: the one that the clients call, or the other one. */
  readonly home: "here" | "elsewhere";
}

const readingSubject = (stage: Stage, { name, fillOnce, readers, home }: ReadingOptions): Subject => {
  let runs = 0;

  const measure = async (seconds: number): Promise<Measurement> => {
    const records = await fillOnce(Math.min(MAX_RECORDS, RECORDS_PER_SECOND * seconds));
    const [gateway, other] = await stage.gatewayPair();
    const agent = new Agent({ connections: CLIENTS });
    const send = sender(gateway, agent);
    const group = await groupAt(home, gateway, send, `${name}-${++runs}`);
    const reads = await readers(send, { topic: TOPIC, group, events: PER_READ, waitMs: WAIT_MS });
    const cpu = async (): Promise<number> => (await cpuSeconds(gateway.pid)) + (await cpuSeconds(other.pid));
    const before = await cpu();
    const { count, firstAt, lastAt } = await readAll(reads, records);
    const used = (await cpu()) - before;
    await agent.close();
    return {
      eventsPerSecond: (count * 1000) / (lastAt - firstAt),
      cpuPerEvent: (used / count) * 1e6,
      rssPerWorker: Math.max(await largestRss(gateway.pid), await largestRss(other.pid)),
      faults: count === records ? [] : [`${count} of ${records} events read`],
    };
  };

  return { name, measure };
};

export const readingSubjects = (stage: Stage): readonly Subject[] => {
  let filled: Promise<number> | undefined;
  const fillOnce: Fill = (records) => (filled ??= fill(stage, records));
  return [
    readingSubject(stage, { name: "read-batch", fillOnce, readers: batchReaders, home: "here" }),
    readingSubject(stage, { name: "read-v2", fillOnce, readers: instanceReaders, home: "here" }),
    readingSubject(stage, { name: "read-forwarded", fillOnce, readers: batchReaders, home: "elsewhere" }),
  ];
};
