/** Several workers are one program: one port, summed metrics, and a replacement for a killed worker. */
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { ADMIN_TOKEN, signIn, startGateway, type Gateway } from "../support/gateway.ts";
import { readTopic } from "../support/each-broker.ts";
import { describeKafka, uniqueName } from "../support/kafka/describe.ts";
import { startLoad } from "../support/load.ts";
import { linesOf, until } from "../support/log-lines.ts";

/** There is no listener. The workers serve requests that need no Kafka. */
const NO_KAFKA = { type: "kafka", kafka: { brokers: ["127.0.0.1:9"] } };
const TIMEOUT = 60_000;

const startWorkers = (broker: object, workers: number | "auto" = 2): Promise<Gateway> =>
  startGateway({
    settings: { server: { host: "127.0.0.1", port: 0, workers, headersTimeout: "1s" }, broker },
  });

const started = (gateway: Gateway) => linesOf(gateway, "worker started");

const scrape = async (gateway: Gateway, metric: RegExp): Promise<number> =>
  Number(metric.exec(await (await fetch(`${gateway.adminUrl}/metrics`)).text())?.[1]);

const HEALTH_CALLS = /^stationgate_http_requests_total\{route="\/healthz",.*\} (.*)$/m;
const RESIDENT_PROCESSES = /^process_resident_memory_bytes (.*)$/m;

const callHealth = async (gateway: Gateway, times: number): Promise<void> => {
  for (let i = 0; i < times; i++)
    await fetch(`${gateway.url}/healthz`, { headers: { connection: "close" } }).then((answer) =>
      answer.text(),
    );
};

describe("several workers that are left alone", () => {
  let gateway: Gateway;

  beforeAll(async () => {
    gateway = await startWorkers(NO_KAFKA);
  }, TIMEOUT);

  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
  });

  it("log each listener once, and sum their metrics", async () => {
    // Without a call there is no such line yet.
    const before = (await scrape(gateway, HEALTH_CALLS)) || 0;
    await callHealth(gateway, 10);

    expect(linesOf(gateway, "listening")).toHaveLength(2);
    expect((await scrape(gateway, HEALTH_CALLS)) - before).toBe(10);
    expect(await scrape(gateway, RESIDENT_PROCESSES)).toBeGreaterThan(100 * 1024 * 1024);
  });

  it.each(["url", "adminUrl"] as const)(
    "don't wait for endless headers, on %s",
    async (listener) => {
      const { hostname, port } = new URL(gateway[listener]);
      const slow = connect(Number(port), hostname).setEncoding("utf8");
      slow.write("GET /healthz HTTP/1.1\r\nHost: x\r\n");

      expect(await text(slow)).toMatch(/^HTTP\/1\.1 408 /);
    },
    TIMEOUT,
  );
});

describe("several workers", () => {
  let gateway: Gateway;

  beforeEach(async () => {
    gateway = await startWorkers(NO_KAFKA);
  }, TIMEOUT);

  afterEach(async () => {
    await gateway[Symbol.asyncDispose]();
  });

  it("all follow a changed log level, also the replacement of a killed worker", async () => {
    const setLevel = (level: string) =>
      fetch(`${gateway.adminUrl}/admin/loggers/http`, {
        method: "PUT",
        headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
        body: JSON.stringify({ level }),
      }).then(({ status }) => status);
    /** Requests for `/healthz` are logged at level debug. */
    const probesOf = (worker: number) =>
      linesOf(gateway, "request").filter((line) => line.worker === worker).length;
    const callHealthUntil = (condition: () => boolean) =>
      until(async () => {
        await callHealth(gateway, 2);
        return condition();
      });

    expect(await setLevel("DEBUG")).toBe(200);

    await callHealthUntil(() => probesOf(1) > 0 && probesOf(2) > 0);
    process.kill(started(gateway).find(({ worker }) => worker === 2)?.pid ?? 0, "SIGKILL");
    await until(() => started(gateway).length === 3);
    const before = probesOf(2);
    await callHealthUntil(() => probesOf(2) > before);

    expect(await setLevel("OFF")).toBe(200);

    for (let n = 0; n < 8; n += 1) {
      await fetch(`${gateway.url}/monitoring/status`, { headers: { connection: "close" } });
    }
    await gateway.stop();

    expect(gateway.output()).not.toContain("/monitoring/status");
  });

  it.each([1, 2])(
    "replace killed worker %i, and keep its metrics",
    async (slot) => {
      await callHealth(gateway, 10);
      await scrape(gateway, HEALTH_CALLS);
      const victim = started(gateway).find(({ worker }) => worker === slot);
      process.kill(victim?.pid ?? 0, "SIGKILL");
      await until(() => started(gateway).length === 3);
      await until(() =>
        fetch(`${gateway.adminUrl}/healthz`).then(
          ({ ok }) => ok,
          () => false,
        ),
      );
      await callHealth(gateway, 4);

      expect(started(gateway).at(-1)?.worker).toBe(slot);
      expect(await scrape(gateway, HEALTH_CALLS)).toBeGreaterThanOrEqual(14);
    },
    TIMEOUT,
  );

  it(
    "serve the connections that waited for a killed worker",
    async () => {
      const victim = started(gateway)[1]?.pid ?? 0;
      process.kill(victim, "SIGSTOP");
      let answered = 0;
      const answers = Array.from({ length: 40 }, () => callHealth(gateway, 1).then(() => ++answered));
      await until(() => answered >= 20);
      process.kill(victim, "SIGKILL");
      const broken = (await Promise.allSettled(answers)).filter(({ status }) => status === "rejected");

      // The request that the killed worker had accepted.
      expect(broken.length).toBeLessThanOrEqual(1);
    },
    TIMEOUT,
  );

  it.each(["SIGTERM", "SIGINT"] as const)(
    "all end when the program gets %s, which exits with 0",
    async (signal) => {
      const pids = started(gateway).map(({ pid }) => Number(pid));

      expect(await gateway.stop(signal)).toBe(0);
      for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
    },
    TIMEOUT,
  );

  it(
    "end when their supervisor is killed",
    async () => {
      const pids = started(gateway).map(({ pid }) => Number(pid));
      await gateway.stop("SIGKILL");
      const isGone = (pid: number): boolean => {
        try {
          return !process.kill(pid, 0);
        } catch {
          return true;
        }
      };
      await until(() => pids.every(isGone));

      expect(pids).toHaveLength(2);
    },
    TIMEOUT,
  );
});

describe("workers with a fault at the start", () => {
  it(
    "end the program with an error message, without restarts",
    async () => {
      const broken = startGateway({
        settings: {
          server: { host: "127.0.0.1", port: 0, workers: 2 },
          broker: NO_KAFKA,
          stations: [
            { name: "orders", schema: { type: "zod", module: "./stationgate.yaml", export: "Order" } },
          ],
        },
      });

      await expect(broken).rejects.toThrow(
        /ended with 1 before it listened:\n(?!.*worker ended).*stationgate\.yaml/s,
      );
    },
    TIMEOUT,
  );
});

describe("workers on the embedded log", () => {
  it(
    "are reduced to one process, with a log line",
    async () => {
      const gateway = await startWorkers({ type: "embedded", embedded: { dir: "./data" } }, 3);

      expect(gateway.output()).toContain("the embedded log belongs to one process");
      expect(started(gateway)).toHaveLength(0);

      await gateway[Symbol.asyncDispose]();
    },
    TIMEOUT,
  );
});

describeKafka("several workers under load", (kafka) => {
  const CLIENTS = 32;
  let gateway: Gateway;
  let station: string;

  const storedIds = async (): Promise<ReadonlySet<string>> =>
    new Set(
      (await readTopic(kafka.brokers, station)).map(
        ({ value }) => (JSON.parse(value.toString()) as { id: string }).id,
      ),
    );

  beforeEach(async () => {
    station = uniqueName("workers");
    gateway = await startWorkers({ type: "kafka", kafka: { brokers: [...kafka.brokers] } });
  }, TIMEOUT);

  afterEach(async () => {
    await gateway[Symbol.asyncDispose]();
  });

  it("lose no acknowledged event when a worker is killed, and continue", async () => {
    const token = await signIn(gateway);
    const load = startLoad({ url: gateway.url, token, station, clients: CLIENTS, persistent: true });
    await load.acknowledged(2000);
    process.kill(started(gateway)[1]?.pid ?? 0, "SIGKILL");
    await until(() => started(gateway).length === 3);
    await load.acknowledged(6000);
    const { acknowledged } = await load.stop();
    const stored = await storedIds();

    expect(acknowledged.filter((id) => !stored.has(id))).toStrictEqual([]);
  }, 120_000);

  it("exit with 0 on SIGTERM after all requests are answered and acknowledged events are stored", async () => {
    const load = startLoad({ url: gateway.url, token: await signIn(gateway), station, clients: CLIENTS });
    await load.acknowledged(2000);
    const exitCode = await gateway.stop("SIGTERM");
    const { acknowledged, broken } = await load.stop();
    const stored = await storedIds();

    expect(exitCode).toBe(0);
    expect([...broken.keys()].filter((code) => code !== "ECONNREFUSED")).toStrictEqual([]);
    expect(acknowledged.filter((id) => !stored.has(id))).toStrictEqual([]);
  }, 120_000);
});
