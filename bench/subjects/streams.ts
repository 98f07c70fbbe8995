/** Event streams: many streams of one station, some of which don't read. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { StreamsResult } from "../load/streams.ts";
import type { Measurement, Subject } from "../measurement.ts";
import { cpuSeconds, totalRss } from "../processes.ts";
import { helper } from "../programs.ts";
import type { Stage } from "../stage.ts";
import type { BenchGateway } from "../targets/gateway.ts";

interface Clients {
  readonly streams: number;
  /** Streams that don't read. */
  readonly silent: number;
  readonly seconds: number;
}

/** `opened` is called when the streams are open. The load begins when it has resolved. */
const runClients = async (
  station: string,
  { authorization }: BenchGateway,
  { streams, silent, seconds }: Clients,
  opened: () => Promise<void>,
): Promise<StreamsResult> => {
  const args = [station, authorization, ...[streams, silent, seconds].map(String)];
  const [command = "", ...rest] = helper("load/streams", args);
  const child = spawn(command, rest, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  await opened();
  child.stdin.write("\n");
  const last = (await lines.next()) as IteratorResult<string, undefined>;
  return JSON.parse(last.value ?? "null") as StreamsResult;
};

const STREAMS = 2000;
const SILENT = 5;
const KIB_PER_MIB = 1024;
/** Warms the gateway up: V8's heap and the topic's ring have their sizes before the memory of the streams is measured. */
const WARM_UP = { streams: 50, silent: 0, seconds: 25 };

export const streamSubjects = (stage: Stage): readonly Subject[] => {
  const name = "stream-2000";

  const measure = async (seconds: number): Promise<Measurement> => {
    const kafka = await stage.kafka();
    // A gateway of its own: the memory of earlier rows would count.
    const gateway = await stage.freshGateway();
    await kafka.createTopic(name);
    const station = `${gateway.url}/stations/${name}`;
    await runClients(station, gateway, WARM_UP, () => Promise.resolve());
    const before = await totalRss(gateway.pid);
    let cpu = 0;
    const clients = { streams: STREAMS, silent: SILENT, seconds };
    const result = await runClients(station, gateway, clients, async () => {
      cpu = await cpuSeconds(gateway.pid);
    });
    cpu = (await cpuSeconds(gateway.pid)) - cpu;
    const memory = (await totalRss(gateway.pid)) - before;
    await gateway.stop();
    return {
      eventsPerSecond: result.delivered / result.seconds,
      p50: result.p50,
      p99: result.p99,
      cpuPerEvent: (cpu / result.delivered) * 1e6,
      memoryPerStream: (memory * KIB_PER_MIB) / STREAMS,
      faults: result.incomplete === 0 ? [] : [`${result.incomplete} streams did not get the last event`],
    };
  };

  return [{ name, measure }];
};
