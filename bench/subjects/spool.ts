/** The spool while Kafka is away, and its draining when Kafka returns. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { batchBody, EVENT } from "../load/events.ts";
import type { LoadResult } from "../load/load.ts";
import type { Measurement, Subject } from "../measurement.ts";
import { cpuSeconds, largestRss } from "../processes.ts";
import type { Stage } from "../stage.ts";
import type { BenchGateway } from "../targets/gateway.ts";
import { type AbsentKafka, reserveBenchKafka } from "../targets/kafka.ts";

interface Target {
  readonly gateway: BenchGateway;
  readonly kafka: AbsentKafka;
}

const STATION = "spooled";
const WARM_UP_SECONDS = 10;
/** Milliseconds. */
const POLL_MS = 250;

/** A gateway whose Kafka is away, and its spool. */
const openTarget = async (stage: Stage): Promise<Target> => {
  const kafka = await stage.opened(reserveBenchKafka());
  const dir = await mkdtemp(join(tmpdir(), "stationgate-bench-spool-"));
  await stage.opened(Promise.resolve({ stop: () => rm(dir, { recursive: true, force: true }) }));
  const spool = { dir, maxBytes: "4gb", for: ["station:*"] };
  const gateway = await stage.freshGateway({
    kafka: kafka.broker,
    more: { spool, stations: [{ name: STATION, partitions: 6 }] },
  });
  return { gateway, kafka };
};

const faultsOf = ({ refused, broken }: LoadResult): readonly string[] =>
  refused + broken === 0 ? [] : [`${refused} error answers, ${broken} requests without an answer`];

const loadOf = (stage: Stage, { gateway }: Target, route: "single" | "batch") => {
  const request = {
    url: `${gateway.url}/stations/${STATION}/produce/${route}`,
    authorization: gateway.authorization,
    contentType: "application/json",
    body: route === "single" ? EVENT : batchBody(100),
  };
  const connections = route === "single" ? 64 : 16;
  return (seconds: number): Promise<LoadResult> => stage.loadTool.load(request, { connections, seconds });
};

const writeSubject = (stage: Stage): Subject => {
  let target: Target | undefined;

  const open = async (): Promise<Target> => {
    const opened = await openTarget(stage);
    await loadOf(stage, opened, "single")(WARM_UP_SECONDS);
    return opened;
  };

  return {
    name: "spool-write",
    measure: async (seconds) => {
      target ??= await open();
      const { pid } = target.gateway;
      const before = await cpuSeconds(pid);
      const result = await loadOf(stage, target, "single")(seconds);
      const cpu = (await cpuSeconds(pid)) - before;
      return {
        eventsPerSecond: result.requests / result.seconds,
        ...result.latency,
        cpuPerEvent: (cpu / result.requests) * 1e6,
        rssPerWorker: await largestRss(pid),
        faults: faultsOf(result),
      };
    },
  };
};

const spoolMetrics = async ({
  adminUrl,
}: BenchGateway): Promise<{ readonly drained: number; readonly left: number }> => {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  const value = (name: string): number =>
    Number(new RegExp(`^stationgate_spool_${name} (.*)$`, "m").exec(text)?.[1] ?? 0);
  return { drained: value("drained_total"), left: value("events") };
};

interface Mark {
  readonly drained: number;
  readonly at: number;
  readonly cpu: number;
}

const markOf = async (gateway: BenchGateway): Promise<Mark> => ({
  drained: (await spoolMetrics(gateway)).drained,
  at: performance.now(),
  cpu: await cpuSeconds(gateway.pid),
});

/** Measures from the first drained events on: before them the gateway only notices that Kafka is back. */
const drain = async (
  { gateway }: Target,
  from: number,
  count: number,
): Promise<Pick<Measurement, "eventsPerSecond" | "cpuPerEvent">> => {
  let first = await markOf(gateway);
  while (first.drained === from) {
    await sleep(POLL_MS);
    first = await markOf(gateway);
  }
  let last = first;
  while (last.drained < from + count) {
    await sleep(POLL_MS);
    last = await markOf(gateway);
  }
  const events = last.drained - first.drained;
  return {
    eventsPerSecond: (events / (last.at - first.at)) * 1000,
    cpuPerEvent: ((last.cpu - first.cpu) / events) * 1e6,
  };
};

const drainSubject = (stage: Stage): Subject => {
  let target: Target | undefined;
  return {
    name: "spool-drain",
    measure: async (seconds) => {
      const opened = (target ??= await openTarget(stage));
      const { gateway, kafka } = opened;
      const before = await spoolMetrics(gateway);
      const result = await loadOf(stage, opened, "batch")(seconds);
      const count = (result.requests - result.refused) * 100;
      await kafka.start();
      const figures = await drain(opened, before.drained, count);
      const rssPerWorker = await largestRss(gateway.pid);
      await kafka.kill();
      return { ...figures, rssPerWorker, faults: faultsOf(result) };
    },
  };
};

export const spoolSubjects = (stage: Stage): readonly Subject[] => [writeSubject(stage), drainSubject(stage)];
