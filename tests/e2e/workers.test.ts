/** Several workers as one program: one port, one sum of metrics, and a death that nobody has to notice. */
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { ADMIN_TOKEN, signIn, startGateway, type Gateway } from "../support/gateway.ts";
import { readTopic } from "../support/each-broker.ts";
import { describeKafka, uniqueName } from "../support/kafka/describe.ts";
import { startLoad } from "../support/load.ts";

/** Nobody listens there: the workers serve all that needs no Kafka. */
const NO_KAFKA = { type: "kafka", kafka: { brokers: ["127.0.0.1:9"] } };
const TIMEOUT = 60_000;

interface WorkerLine {
  readonly worker: number;
  readonly pid: number;
  readonly msg: string;
}

const startWorkers = (broker: object, workers: number | "auto" = 2): Promise<Gateway> =>
  startGateway({
    settings: { server: { host: "127.0.0.1", port: 0, workers, headersTimeout: "1s" }, broker },
  });

const lines = (gateway: Gateway): readonly WorkerLine[] =>
  gateway
    .output()
    .split("\n")
    .filter((line) => line.startsWith("{") && line.endsWith("}"))
    .map((line) => JSON.parse(line) as WorkerLine);

const started = (gateway: Gateway): readonly WorkerLine[] =>
  lines(gateway).filter(({ msg }) => msg === "worker started");

const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
};

const scrape = async (gateway: Gateway, metric: RegExp): Promise<number> =>
  Number(metric.exec(await (await fetch(`${gateway.adminUrl}/metrics`)).text())?.[1]);

const HEALTH_CALLS = /^stationgate_http_requests_total\{route="\/healthz",.*\} (.*)$/m;
const RESIDENT_PROCESSES = /^process_resident_memory_bytes (.*)$/m;

const knock = async (gateway: Gateway, times: number): Promise<void> => {
  for (let i = 0; i < times; i++)
    await fetch(`${gateway.url}/healthz`, { headers: { connection: "close" } }).then((answer) =>
      answer.text(),
    );
};

describe("several workers", () => {
  let gateway: Gateway;

  beforeEach(async () => {
    gateway = await startWorkers(NO_KAFKA);
  }, TIMEOUT);

  afterEach(async () => {
    await gateway[Symbol.asyncDispose]();
  });

  it("say once where they listen, and sum their metrics", async () => {
    await knock(gateway, 10);

    expect(lines(gateway).filter(({ msg }) => msg === "listening")).toHaveLength(2);
    expect(await scrape(gateway, HEALTH_CALLS)).toBe(10);
    expect(await scrape(gateway, RESIDENT_PROCESSES)).toBeGreaterThan(100 * 1024 * 1024);
  });

  it("write by the levels that are set, all of them, and the one that takes over from a dead one too", async () => {
    const setLevel = (level: string) =>
      fetch(`${gateway.adminUrl}/admin/loggers/http`, {
        method: "PUT",
        headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
        body: JSON.stringify({ level }),
      }).then(({ status }) => status);
    /** Probes are written at level debug. */
    const probesOf = (worker: number) =>
      lines(gateway).filter((line) => line.msg === "request" && line.worker === worker).length;
    const knockUntil = (condition: () => boolean) =>
      until(async () => {
        await knock(gateway, 2);
        return condition();
      });

    expect(await setLevel("DEBUG")).toBe(200);

    await knockUntil(() => probesOf(1) > 0 && probesOf(2) > 0);
    process.kill(started(gateway).find(({ worker }) => worker === 2)?.pid ?? 0, "SIGKILL");
    await until(() => started(gateway).length === 3);
    const before = probesOf(2);
    await knockUntil(() => probesOf(2) > before);

    expect(await setLevel("OFF")).toBe(200);

    for (let n = 0; n < 8; n += 1) {
      await fetch(`${gateway.url}/monitoring/status`, { headers: { connection: "close" } });
    }
    await gateway.stop();

    expect(gateway.output()).not.toContain("/monitoring/status");
  });

  it.each([1, 2])(
    "get a successor for number %i, and count on where it ended",
    async (slot) => {
      await knock(gateway, 10);
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
      await knock(gateway, 4);

      expect(started(gateway).at(-1)?.worker).toBe(slot);
      expect(await scrape(gateway, HEALTH_CALLS)).toBeGreaterThanOrEqual(14);
    },
    TIMEOUT,
  );

  it.each(["url", "adminUrl"] as const)(
    "don't wait for headers without end, on %s",
    async (listener) => {
      const { hostname, port } = new URL(gateway[listener]);
      const slow = connect(Number(port), hostname).setEncoding("utf8");
      slow.write("GET /healthz HTTP/1.1\r\nHost: x\r\n");

      expect(await text(slow)).toMatch(/^HTTP\/1\.1 408 /);
    },
    TIMEOUT,
  );

  it(
    "serve the connections that waited for one that was killed",
    async () => {
      const victim = started(gateway)[1]?.pid ?? 0;
      process.kill(victim, "SIGSTOP");
      let answered = 0;
      const answers = Array.from({ length: 40 }, () => knock(gateway, 1).then(() => ++answered));
      await until(() => answered >= 20);
      process.kill(victim, "SIGKILL");
      const broken = (await Promise.allSettled(answers)).filter(({ status }) => status === "rejected");

      // The one that was on its way to it.
      expect(broken.length).toBeLessThanOrEqual(1);
    },
    TIMEOUT,
  );

  it.each(["SIGTERM", "SIGINT"] as const)(
    "all end, with 0, when the program gets %s",
    async (signal) => {
      const pids = started(gateway).map(({ pid }) => pid);

      expect(await gateway.stop(signal)).toBe(0);
      for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow("ESRCH");
    },
    TIMEOUT,
  );

  it(
    "end with their supervisor, however it ends",
    async () => {
      const pids = started(gateway).map(({ pid }) => pid);
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

describe("workers that can't start", () => {
  it(
    "end the program with what is wrong, and don't try again",
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
    "are one, and say so",
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

  it("lose nothing that was acknowledged when one of them is killed, and go on", async () => {
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

  it("end with 0 on SIGTERM: every request is answered, and what was acknowledged is stored", async () => {
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
