/** The rows of the benchmark: the measured subject, its references and its goals. */
import type { Figure } from "./measurement.ts";

interface Ratio {
  readonly figure: Figure;
  /** The reference subject. */
  readonly to: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface Goal {
  readonly figure: Figure;
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface Row {
  /** The name of the row and of its subject. */
  readonly name: string;
  readonly ratios: readonly Ratio[];
  readonly goals: readonly Goal[];
}

/** Per worker, under load. */
const RSS: Goal = { figure: "rssPerWorker", atMost: 130 };
const SINGLE_CPU: Goal = { figure: "cpuPerEvent", atMost: 45 };
const BATCH_CPU: Goal = { figure: "cpuPerEvent", atMost: 5 };
/** 10,000 reads that wait in 100 groups. */
const WAITING: readonly Goal[] = [
  { figure: "memoryPerRead", atMost: 30 },
  { figure: "kafkaSockets", atMost: 300 },
];

/** The reference for batches is Kafka's own Java client. */
const java = (atLeast: number): Ratio => ({ figure: "eventsPerSecond", to: "java-producer", atLeast });

const ROWS: readonly Row[] = [
  {
    name: "single-1",
    ratios: [{ figure: "p50", to: "kafkajs-send", atMost: 1.3 }],
    goals: [{ figure: "p50", atMost: 0.33 }],
  },
  {
    name: "single-64",
    ratios: [
      { figure: "eventsPerSecond", to: "bare-http-64", atLeast: 0.8 },
      { figure: "p99", to: "bare-http-64", atMost: 3 },
      { figure: "eventsPerSecond", to: "naive-64", atLeast: 18 },
    ],
    goals: [{ figure: "eventsPerSecond", atLeast: 17_700 }, SINGLE_CPU, RSS],
  },
  {
    name: "single-256",
    ratios: [{ figure: "eventsPerSecond", to: "bare-http-256", atLeast: 0.6 }],
    goals: [SINGLE_CPU, RSS],
  },
  {
    name: "single-64-tls",
    ratios: [
      { figure: "eventsPerSecond", to: "single-64", atLeast: 0.8 },
      { figure: "cpuPerEvent", to: "single-64", atMost: 1.7 },
    ],
    goals: [RSS],
  },
  { name: "overload-2000", ratios: [], goals: [{ figure: "p99", atMost: 1000 }, RSS] },
  {
    name: "batch-100",
    ratios: [java(1.2)],
    goals: [{ figure: "eventsPerSecond", atLeast: 186_000 }, BATCH_CPU, RSS],
  },
  { name: "once-1", ratios: [{ figure: "p50", to: "single-1", atMost: 3 }], goals: [RSS] },
  {
    name: "once-batch-100",
    ratios: [{ figure: "eventsPerSecond", to: "batch-100" }],
    goals: [{ figure: "eventsPerSecond", atLeast: 60_000 }, RSS],
  },
  { name: "spool-write", ratios: [{ figure: "cpuPerEvent", to: "single-64" }], goals: [RSS] },
  { name: "spool-drain", ratios: [], goals: [{ figure: "eventsPerSecond", atLeast: 50_000 }, RSS] },
  {
    name: "avro-single-64",
    ratios: [{ figure: "cpuPerEvent", to: "order-single-64", atMost: 1.3 }],
    goals: [],
  },
  {
    name: "avro-batch-100",
    ratios: [{ figure: "cpuPerEvent", to: "order-batch-100" }],
    goals: [{ figure: "eventsPerSecond", atLeast: 100_000 }, RSS],
  },
  { name: "v2-batch-100", ratios: [java(1)], goals: [{ figure: "eventsPerSecond", atLeast: 93_000 }, RSS] },
  {
    name: "v3-batch-50",
    ratios: [java(0.6)],
    goals: [{ figure: "eventsPerSecond", atLeast: 52_000 }, RSS],
  },
  {
    name: "v3-stream",
    ratios: [java(0.6)],
    goals: [{ figure: "eventsPerSecond", atLeast: 34_000 }, RSS],
  },
  ...[1, 2, 3].flatMap((pods): readonly Row[] => [
    { name: `pods-${pods}`, ratios: [], goals: [] },
    { name: `pods-${pods}-batch-100`, ratios: [], goals: [] },
  ]),
  {
    name: "partition-1",
    ratios: [{ figure: "eventsPerSecond", to: "single-64" }],
    goals: [],
  },
  {
    name: "partition-1-batch-100",
    ratios: [{ figure: "eventsPerSecond", to: "batch-100" }],
    goals: [],
  },
  {
    name: "embedded-64",
    ratios: [{ figure: "eventsPerSecond", to: "bare-http-64" }],
    goals: [{ figure: "eventsPerSecond", atLeast: 10_000 }, RSS],
  },
  { name: "read-batch", ratios: [], goals: [{ figure: "eventsPerSecond", atLeast: 150_000 }, RSS] },
  { name: "read-v2", ratios: [], goals: [{ figure: "eventsPerSecond", atLeast: 150_000 }, RSS] },
  {
    name: "read-forwarded",
    ratios: [{ figure: "eventsPerSecond", to: "read-batch", atLeast: 0.6 }],
    goals: [RSS],
  },
  { name: "read-wait", ratios: [], goals: [{ figure: "p99", atMost: 50 }] },
  { name: "read-wait-v2", ratios: [], goals: [{ figure: "p99", atMost: 50 }] },
  { name: "waiting-reads", ratios: [], goals: WAITING },
  { name: "waiting-reads-v2", ratios: [], goals: WAITING },
  { name: "filters", ratios: [], goals: [{ figure: "eventsPerSecond", atLeast: 300_000 }] },
  { name: "delivery-0ms", ratios: [], goals: [{ figure: "eventsPerSecond", atLeast: 8000 }, RSS] },
  { name: "delivery-0ms-keys", ratios: [], goals: [{ figure: "eventsPerSecond", atLeast: 15_000 }, RSS] },
  { name: "delivery-0ms-batch-100", ratios: [], goals: [RSS] },
  { name: "delivery-20ms", ratios: [], goals: [{ figure: "eventsPerSecond", atLeast: 2500 }, RSS] },
  {
    name: "delivery-20ms-batch-100",
    ratios: [],
    goals: [{ figure: "eventsPerSecond", atLeast: 50_000 }, RSS],
  },
  {
    name: "stream-2000",
    ratios: [],
    goals: [
      { figure: "p99", atMost: 100 },
      { figure: "memoryPerStream", atMost: 30 },
    ],
  },
];

/** The rows with these names. Throws if a name is unknown. */
export const rowsNamed = (names: readonly string[] | undefined): readonly Row[] => {
  if (names === undefined) return ROWS;
  return names.map((name) => {
    const row = ROWS.find((candidate) => candidate.name === name);
    if (row !== undefined) return row;
    throw new RangeError(
      `No row has the name ${name}; the rows are ${ROWS.map((row) => row.name).join(", ")}`,
    );
  });
};
