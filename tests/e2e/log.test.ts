/** A slow or closed reader of the log output doesn't disturb the gateway. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { admin } from "../support/connector-api.ts";
import { signIn, startGateway } from "../support/gateway.ts";
import { linesOf, until } from "../support/log-lines.ts";

const TIMEOUT = 60_000;
/** There is no listener. The workers serve requests that need no Kafka. */
const NO_KAFKA = { type: "kafka", kafka: { brokers: ["127.0.0.1:9"] } };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "stationgate-log-"));
});
afterEach(() => rm(directory, { recursive: true }));

/** A gateway that writes to a named pipe, and the `cat` that reads it. */
const startPiped = async (workers: number) => {
  const pipe = path.join(directory, "pipe");
  execFileSync("mkfifo", [pipe]);
  const reader = spawn("cat", [pipe], { stdio: ["ignore", "pipe", "inherit"] });
  const fd = openSync(pipe, "w");
  try {
    const server = { host: "127.0.0.1", port: 0, workers };
    const stdout = { fd, arriving: reader.stdout };
    const gateway = await startGateway({ settings: { server, broker: NO_KAFKA }, stdout });
    return { gateway, reader };
  } finally {
    closeSync(fd);
  }
};

/** Lines of 350 bytes: about 1.4 MB, several times the capacity of the pipes and sockets. */
const CALLS = 4000;
const CALLERS = 16;
const PATH = `/${"long".repeat(45)}`;

const flood = async (url: string): Promise<ReadonlySet<number>> => {
  const statuses = new Set<number>();
  const caller = async (): Promise<void> => {
    for (let n = 0; n < CALLS / CALLERS; n++) {
      const answer = await fetch(url + PATH);
      await answer.arrayBuffer();
      statuses.add(answer.status);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return statuses;
};

it.each([1, 2])(
  "the gateway (workers: %i) serves requests while its output is not read, and writes each line later",
  async (workers) => {
    const { reader, ...piped } = await startPiped(workers);
    await using gateway = piped.gateway;
    reader.stdout.pause();
    expect(await flood(gateway.url)).toEqual(new Set([401]));
    const whilePaused = gateway.output().length;
    reader.stdout.resume();
    const ended = once(reader.stdout, "end");
    expect(await gateway.stop()).toBe(0);
    await ended;

    const lines = gateway
      .output()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as { msg: string; route?: string; worker?: number });
    const requests = lines.filter(({ route }) => route === PATH);
    expect(whilePaused).toBeLessThan(100_000);
    expect(requests).toHaveLength(CALLS);
    expect(new Set(requests.map(({ worker }) => worker)).size).toBe(workers);
    expect(lines.at(-1)).toMatchObject({ msg: "stopped" });
  },
  TIMEOUT,
);

it(
  "the gateway serves requests after the reader has closed the pipe, and stops in order",
  async () => {
    const { reader, ...piped } = await startPiped(1);
    await using gateway = piped.gateway;
    reader.kill();
    await once(reader, "exit");
    expect(await flood(gateway.url)).toEqual(new Set([401]));
    expect(await gateway.stop()).toBe(0);
  },
  TIMEOUT,
);

it(
  "the gateway stops although its output socket is not read",
  async () => {
    await using gateway = await startGateway({ settings: { broker: NO_KAFKA } });
    gateway.pauseOutput();
    expect(await flood(gateway.url)).toEqual(new Set([401]));
    expect(await gateway.stop()).toBe(0);
  },
  TIMEOUT,
);

it(
  "with log.requests: errors only errors and slow requests have a line, and all requests with the level debug",
  async () => {
    const log = { requests: "errors", slowRequest: "10m" };
    const reload = { watch: false };
    await using gateway = await startGateway({ settings: { log, reload } });
    const token = await signIn(gateway);
    const call = async (name: string, route: string, body: object): Promise<number> => {
      const answer = await fetch(`${gateway.url}/stations/orders/${route}`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
          "x-request-id": name,
        },
        body: JSON.stringify(body),
      });
      await answer.arrayBuffer();
      return answer.status;
    };
    expect(await call("fast", "produce/single", { n: 1 })).toBe(200);
    expect(await call("wrong", "produce/none", {})).toBe(404);

    const file = path.join(gateway.directory, "stationgate.yaml");
    await writeFile(file, (await readFile(file, "utf8")).replace("slowRequest: 10m", "slowRequest: 50ms"));
    process.kill(gateway.pid, "SIGHUP");
    await until(() => linesOf(gateway, "settings reloaded").length === 1);
    // Waits longer than 50 ms for records.
    const read = { consumer_name: "a", consumer_group: "empty", batch_size: 3, batch_max_wait_time_ms: 100 };
    expect(await call("slow", "consume/batch", read)).toBe(200);

    await admin(gateway, "PUT", "/admin/loggers/http", { level: "DEBUG" });
    expect(await call("debug", "produce/single", { n: 2 })).toBe(200);
    const named = ["fast", "wrong", "slow", "debug"];
    const ids = () => linesOf(gateway, "request").map(({ requestId }) => String(requestId));
    await until(() => ids().includes("debug"));
    expect(ids().filter((id) => named.includes(id))).toEqual(["wrong", "slow", "debug"]);
    expect(linesOf(gateway, "audit")).toHaveLength(2);
  },
  TIMEOUT,
);
