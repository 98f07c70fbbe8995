/** Delivery: one connector delivers a filled topic to an endpoint that checks the order. */
import { setTimeout as sleep } from "node:timers/promises";
import { keyedEvent } from "../load/events.ts";
import type { Measurement, Subject } from "../measurement.ts";
import { cpuSeconds, largestRss } from "../processes.ts";
import type { Stage } from "../stage.ts";
import type { BenchGateway } from "../targets/gateway.ts";
import { startSink, type Sink, type SinkReport } from "../targets/sink.ts";

interface DeliveryOptions {
  readonly name: string;
  readonly sinkDelayMs: number;
  readonly partitions?: number;
  /** Records in the topic for each second of load. */
  readonly recordsPerSecond: number;
  /** The configuration of the connector to a sink with this URL, without the topics. */
  readonly config: (sink: string) => Readonly<Record<string, string>>;
  /** True: the order of each key must be kept. */
  readonly isOrdered: boolean;
}

interface Setup {
  readonly gateway: BenchGateway;
  readonly sink: Sink;
  readonly records: number;
}

const KEYS = 600;
const LONGEST_FACTOR = 10;
const POLL_MS = 100;

const admin = async (gateway: BenchGateway, method: string, path: string, body?: object): Promise<void> => {
  const answer = await fetch(`${gateway.adminUrl}${path}`, {
    method,
    headers: { authorization: gateway.adminAuthorization, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${method} ${path} was answered ${answer.status}: ${await answer.text()}`);
};

const untilReceived = async ({ sink, records }: Setup, longestMs: number): Promise<SinkReport> => {
  const deadline = performance.now() + longestMs;
  for (;;) {
    const report = await sink.report();
    if (report.received >= records || performance.now() > deadline) return report;
    await sleep(POLL_MS);
  }
};

const faultsOf = (
  { received, disordered }: SinkReport,
  records: number,
  isOrdered: boolean,
): readonly string[] => [
  ...(received === records ? [] : [`${received} of ${records} records delivered`]),
  ...(disordered === 0 || !isOrdered ? [] : [`${disordered} records out of order`]),
];

const deliverySubject = (stage: Stage, options: DeliveryOptions): Subject => {
  const { name, config, isOrdered } = options;
  let setup: Setup | undefined;
  let runs = 0;

  const open = async (seconds: number): Promise<Setup> => {
    const kafka = await stage.kafka();
    await kafka.createTopic(name, options.partitions);
    const records = Math.ceil((options.recordsPerSecond * seconds) / KEYS) * KEYS;
    const all = Array.from({ length: records }, (_, i) => {
      const key = `key-${i % KEYS}`;
      return { key, value: keyedEvent(key, Math.floor(i / KEYS)) };
    });
    await kafka.fill(name, all);
    const sink = await stage.opened(startSink(options.sinkDelayMs));
    return { gateway: await stage.gateway(), sink, records };
  };

  const run = async (opened: Setup, seconds: number): Promise<Measurement> => {
    const { gateway, sink, records } = opened;
    // A new name has a new consumer group, which reads from the beginning of the topic.
    const connector = `${name}-${++runs}`;
    await sink.reset();
    const before = await cpuSeconds(gateway.pid);
    await admin(gateway, "POST", "/connectors", {
      name: connector,
      config: { topics: name, ...config(sink.url) },
    });
    const report = await untilReceived(opened, seconds * 1000 * LONGEST_FACTOR);
    const cpu = (await cpuSeconds(gateway.pid)) - before;
    const rssPerWorker = await largestRss(gateway.pid);
    await admin(gateway, "DELETE", `/connectors/${connector}`);
    return {
      eventsPerSecond: (report.received * 1000) / (report.lastAt - report.firstAt),
      cpuPerEvent: (cpu / report.received) * 1e6,
      rssPerWorker,
      faults: faultsOf(report, records, isOrdered),
    };
  };

  return { name, measure: async (seconds) => run((setup ??= await open(seconds)), seconds) };
};

const single = (more: Readonly<Record<string, string>> = {}) => ({
  config: (sink: string) => ({
    "callback.request.url": sink,
    "callback.request.method": "POST",
    ...more,
  }),
  isOrdered: true,
});

const KEYS_64 = { ordering: "key", concurrency: "64" };

const inBatches = {
  partitions: 12,
  config: (sink: string) => ({
    "connector.class": "io.aiven.kafka.connect.http.HttpSinkConnector",
    "http.url": sink,
    "http.authorization.type": "none",
    "batching.enabled": "true",
    "batch.max.size": "100",
    "batch.prefix": "[",
    "batch.separator": ",",
    "batch.suffix": "]",
    ordering: "none",
    concurrency: "16",
  }),
  isOrdered: false,
};

export const deliverySubjects = (stage: Stage): readonly Subject[] =>
  [
    { name: "delivery-0ms", sinkDelayMs: 0, recordsPerSecond: 5000, ...single() },
    { name: "delivery-0ms-keys", sinkDelayMs: 0, recordsPerSecond: 10_000, ...single(KEYS_64) },
    { name: "delivery-0ms-batch-100", sinkDelayMs: 0, recordsPerSecond: 50_000, ...inBatches },
    { name: "delivery-20ms", sinkDelayMs: 20, recordsPerSecond: 2000, ...single(KEYS_64) },
    { name: "delivery-20ms-batch-100", sinkDelayMs: 20, recordsPerSecond: 50_000, ...inBatches },
  ].map((options) => deliverySubject(stage, options));
