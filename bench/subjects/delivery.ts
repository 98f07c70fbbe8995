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
  /** Records in the topic for each second of load. */
  readonly recordsPerSecond: number;
  readonly config: Readonly<Record<string, string>>;
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

const faultsOf = ({ received, disordered }: SinkReport, records: number): readonly string[] => [
  ...(received === records ? [] : [`${received} of ${records} records delivered`]),
  ...(disordered === 0 ? [] : [`${disordered} records out of order`]),
];

const deliverySubject = (stage: Stage, options: DeliveryOptions): Subject => {
  const { name, config } = options;
  let setup: Setup | undefined;
  let runs = 0;

  const open = async (seconds: number): Promise<Setup> => {
    const kafka = await stage.kafka();
    await kafka.createTopic(name);
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
      config: {
        topics: name,
        "callback.request.url": sink.url,
        "callback.request.method": "POST",
        ...config,
      },
    });
    const report = await untilReceived(opened, seconds * 1000 * LONGEST_FACTOR);
    const cpu = (await cpuSeconds(gateway.pid)) - before;
    const rssPerWorker = await largestRss(gateway.pid);
    await admin(gateway, "DELETE", `/connectors/${connector}`);
    return {
      eventsPerSecond: (report.received * 1000) / (report.lastAt - report.firstAt),
      cpuPerEvent: (cpu / report.received) * 1e6,
      rssPerWorker,
      faults: faultsOf(report, records),
    };
  };

  return { name, measure: async (seconds) => run((setup ??= await open(seconds)), seconds) };
};

export const deliverySubjects = (stage: Stage): readonly Subject[] => [
  deliverySubject(stage, { name: "delivery-0ms", sinkDelayMs: 0, recordsPerSecond: 5000, config: {} }),
  deliverySubject(stage, {
    name: "delivery-20ms",
    sinkDelayMs: 20,
    recordsPerSecond: 2000,
    config: { ordering: "key", concurrency: "64" },
  }),
];
