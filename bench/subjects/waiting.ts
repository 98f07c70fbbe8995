/** Reads that wait for events: the time from the produce to the answer, and the memory of many waiting reads. */
import { once } from "node:events";
import { readdir, readFile, readlink } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent } from "undici";
import {
  batchCall,
  batchRead,
  createInstance,
  groupAt,
  instanceRead,
  type Read,
  sender,
} from "../load/reads.ts";
import type { Figures, Measurement, Subject } from "../measurement.ts";
import { totalRss } from "../processes.ts";
import type { Stage } from "../stage.ts";
import type { BenchGateway } from "../targets/gateway.ts";

const KIB_PER_MIB = 1024;
const WAIT_MS = 10_000;
/** With several waiting reads an event never comes between two reads. */
const WAITING = 4;
const EVENT_EVERY_MS = 20;
const EVENT_BYTES = 256;
const MARK = /"seq\\?":(\d+)/g;
const WARM_UP = 50;

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;

/** Produces single events at a fixed rate. Returns the milliseconds from the start of each produce to its arrival in an answer. */
const latencies = async (
  produce: (event: object) => Promise<unknown>,
  reads: readonly Read[],
  count: number,
): Promise<readonly number[]> => {
  const sentAt: number[] = [];
  const found: number[] = [];
  let arrived = 0;
  const reading = reads.map(async (read) => {
    while (arrived < count) {
      const { body } = await read();
      const now = performance.now();
      for (const [, seq] of body.toString().matchAll(MARK)) {
        arrived += 1;
        if (Number(seq) >= WARM_UP) found.push(now - (sentAt[Number(seq)] ?? NaN));
      }
    }
  });
  const produced: Promise<unknown>[] = [];
  const began = performance.now();
  // The last events end the reads that wait when all others have arrived.
  for (let seq = 0; seq < count + reads.length; seq += 1) {
    const due = began + seq * EVENT_EVERY_MS - performance.now();
    if (due > 0) await sleep(due);
    sentAt[seq] = performance.now();
    produced.push(produce({ seq, text: "x".repeat(EVENT_BYTES - 20) }));
  }
  await Promise.all([...produced, ...reading]);
  return found.sort((one, other) => one - other);
};

const latencySubject = (stage: Stage, name: string, api: "batch" | "v2"): Subject => {
  let runs = 0;
  const measure = async (seconds: number): Promise<Measurement> => {
    const topic = `${name}-${++runs}`;
    await (await stage.kafka()).createTopic(topic);
    const [gateway] = await stage.gatewayPair();
    const agent = new Agent({ connections: 64 });
    const send = sender(gateway, agent);
    const group = await groupAt("here", gateway, send, topic);
    const options = { topic, group, events: 1, waitMs: WAIT_MS };
    const reads = await Promise.all(
      Array.from({ length: WAITING }, async (_, n) => {
        if (api === "batch") return batchRead(send, options);
        return instanceRead(send, await createInstance(send, options, `instance-${n}`), options, EVENT_BYTES);
      }),
    );
    const count = WARM_UP + Math.floor((seconds * 1000) / EVENT_EVERY_MS);
    const sorted = await latencies(
      (event) => send("POST", `/stations/${topic}/produce/single`, event),
      reads,
      count,
    );
    await agent.close();
    return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), faults: [] };
  };
  return { name, measure };
};

const GROUPS = 100;
const READS = 10_000;
const OPEN_AT_ONCE = 100;
/** Milliseconds until the memory of the waiting reads is measured. */
const SETTLE_MS = 15_000;
const LONG_WAIT_MS = 120_000;

/** Sends a request, and keeps its connection. */
const openRead = async (
  { url, authorization }: BenchGateway,
  [method, path, body]: readonly [string, string, object?],
): Promise<Socket> => {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  const text = body === undefined ? "" : JSON.stringify(body);
  const head = `${method} ${path} HTTP/1.1\r\nHost: bench\r\nAuthorization: ${authorization}\r\n`;
  const type =
    body === undefined ? "" : `Content-Type: application/json\r\nContent-Length: ${text.length}\r\n`;
  socket.write(`${head}${type}\r\n${text}`);
  return socket;
};

/** Sockets of the process that are connected to this port (`/proc/net/tcp`). */
const socketsTo = async (pid: number, port: number): Promise<number> => {
  const lines = (await readFile("/proc/net/tcp", "utf8")).split("\n").slice(1);
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const inodes = new Set(
    lines.flatMap((line) => {
      const fields = line.trim().split(/\s+/);
      return fields[2]?.endsWith(suffix) === true ? [`socket:[${fields[9]}]`] : [];
    }),
  );
  const folder = `/proc/${pid}/fd`;
  const links = await Promise.all(
    (await readdir(folder)).map((fd) => readlink(`${folder}/${fd}`).catch(() => "")),
  );
  return links.filter((link) => inodes.has(link)).length;
};

const waitingSubject = (stage: Stage, name: string, api: "batch" | "v2"): Subject => {
  let runs = 0;

  const measure = async (): Promise<Measurement> => {
    const kafka = await stage.kafka();
    const topic = `${name}-${++runs}`;
    await kafka.createTopic(topic);
    const gateway = await stage.freshGateway({ workers: 1, reading: { instancesPerPrincipal: READS } });
    const agent = new Agent({ connections: 64 });
    const send = sender(gateway, agent);
    const callOf = async (n: number): Promise<readonly [string, string, object?]> => {
      const group = `${topic}-${n % GROUPS}`;
      const options = { topic, group, events: 1, waitMs: LONG_WAIT_MS };
      if (api === "batch") return batchCall(options);
      return [
        "GET",
        `${await createInstance(send, options, `instance-${n}`)}/records?timeout=${LONG_WAIT_MS}`,
      ];
    };
    // The first call of each API loads code.
    await batchRead(send, { topic, group: `${topic}-warm-up`, events: 1, waitMs: 100 })();
    const before = await totalRss(gateway.pid);
    const sockets: Socket[] = [];
    const answers: string[] = [];
    for (let from = 0; from < READS; from += OPEN_AT_ONCE)
      sockets.push(
        ...(await Promise.all(
          Array.from({ length: OPEN_AT_ONCE }, async (_, n) => {
            const socket = await openRead(gateway, await callOf(from + n));
            return socket.on("data", (data) => answers.push(String(data))).on("error", () => undefined);
          }),
        )),
      );
    await sleep(SETTLE_MS);
    const figures: Figures = {
      memoryPerRead: (((await totalRss(gateway.pid)) - before) * KIB_PER_MIB) / READS,
      kafkaSockets: await socketsTo(gateway.pid, Number(kafka.broker.split(":")[1])),
    };
    const faults = answers.length === 0 ? [] : [`${answers.length} reads were answered, as ${answers[0]}`];
    for (const socket of sockets) socket.destroy();
    await agent.close();
    await gateway.stop();
    return { ...figures, faults };
  };

  return { name, measure };
};

export const waitingSubjects = (stage: Stage): readonly Subject[] => [
  latencySubject(stage, "read-wait", "batch"),
  latencySubject(stage, "read-wait-v2", "v2"),
  waitingSubject(stage, "waiting-reads", "batch"),
  waitingSubject(stage, "waiting-reads-v2", "v2"),
];
