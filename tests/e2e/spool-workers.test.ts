/** The spool of a pod with two workers and real Kafka: kills and a frozen worker in an outage. No event that got 2xx is lost. */
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { readTopic } from "../support/each-broker.ts";
import { type Gateway, signIn, startGateway } from "../support/gateway.ts";
import { describeOwnKafka, uniqueName } from "../support/kafka/describe.ts";
import { type KafkaServer, startKafka } from "../support/kafka/server.ts";
import { linesOf, until } from "../support/log-lines.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const newDirectory = (): string => temporaryDirectory("spool-workers-");

const pidOf = (gateway: Gateway, worker: number): number =>
  linesOf(gateway, "worker started").findLast((line) => line.worker === worker)?.pid ?? 0;

const foldersIn = (dir: string): readonly string[] =>
  readdirSync(dir).filter((name) => name !== "owner.lock");

/** All topics that were spooled go to Kafka again. */
const hasDrained = (gateway: Gateway): boolean => {
  const ends = linesOf(gateway, "the spool has no events of this topic; new events go to Kafka");
  return ends.length > 0 && ends.length === linesOf(gateway, "events of this topic go to the spool").length;
};

interface Sent {
  readonly key: string;
  readonly n: number;
  readonly status: string;
}

/** One client for each key: it sends its next event when the last one has its answer. Each request has a new connection. */
const startClients = async (first: Gateway, station: string, keys: readonly string[]) => {
  const token = await signIn(first);
  const sent: Sent[] = [];
  let url = first.url;
  let isStopped = false;
  const send = async (key: string, n: number): Promise<string> => {
    const answer = await fetch(`${url}/stations/${station}/produce/single`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${token}`,
        "content-type": "application/json",
        connection: "close",
        prefer: "return=representation",
      },
      body: JSON.stringify({ n, key }),
    });
    const text = await answer.text();
    return `${answer.status} ${/"status":"(\w+)"/.exec(text)?.[1] ?? ""}`.trim();
  };
  const run = async (key: string): Promise<void> => {
    for (let n = 1; !isStopped; n += 1) {
      const status = await send(key, n).catch(() => "broken");
      sent.push({ key, n, status });
      await sleep(status === "broken" ? 50 : 5);
    }
  };
  const running = Promise.all(keys.map(run));
  return {
    sent,
    useGateway: (gateway: Gateway): void => {
      url = gateway.url;
    },
    /** Resolves when each client has sent this number of further events with this status. */
    more: async (count: number, status: string): Promise<void> => {
      const from = sent.length;
      await until(() =>
        keys.every(
          (key) =>
            sent.slice(from).filter((event) => event.key === key && event.status === status).length >= count,
        ),
      );
    },
    stop: async (): Promise<void> => {
      isStopped = true;
      await running;
    },
  };
};

const KEYS = ["a", "b", "c", "d"];
const STORED = "200 stored";
const SPOOLED = "200 spooled";

describeOwnKafka("the spool of several workers", () => {
  let kafka: KafkaServer;

  beforeAll(async () => {
    kafka = await startKafka();
  }, 300_000);
  afterEach(() => kafka.heal(), 120_000);
  afterAll(() => kafka.stop());

  const start = (dir: string, station: string, spool: object = {}): Promise<Gateway> =>
    startGateway({
      settings: {
        server: { host: "127.0.0.1", port: 0, workers: 2 },
        broker: { type: "kafka", kafka: { brokers: [...kafka.brokers] } },
        spool: { dir, for: ["station:*"], ...spool },
        stations: [{ name: station, key: "/key" }],
      },
    });

  /** For each key the numbers in the topic, each at its first offset. */
  const numbersIn = async (station: string): Promise<ReadonlyMap<string, readonly number[]>> => {
    const numbers = new Map<string, Set<number>>();
    for (const { value } of await readTopic(kafka.brokers, station)) {
      const { key, n } = JSON.parse(value.toString()) as { key: string; n: number };
      numbers.set(key, (numbers.get(key) ?? new Set()).add(n));
    }
    return new Map([...numbers].map(([key, set]) => [key, [...set]]));
  };

  /** Every event with 2xx is in the topic, in the order of its key. */
  const expectAll = async (station: string, sent: readonly Sent[]): Promise<void> => {
    const stored = await numbersIn(station);
    for (const key of KEYS) {
      const answered = sent.filter((event) => event.key === key && event.status.startsWith("200"));
      const numbers = answered.map(({ n }) => n);
      expect(stored.get(key)?.filter((n) => numbers.includes(n))).toEqual(numbers);
    }
  };

  /** Starts Kafka, and stops the clients when the spool is drained and events are stored directly. */
  const expectAllAfterReturn = async (
    gateway: Gateway,
    station: string,
    clients: Awaited<ReturnType<typeof startClients>>,
  ): Promise<void> => {
    await kafka.start();
    await until(() => hasDrained(gateway));
    await clients.more(5, STORED);
    await clients.stop();
    await until(() => hasDrained(gateway));
    await expectAll(station, clients.sent);
  };

  it("keeps all events in order while workers and the whole pod are killed in the outage", async () => {
    const dir = newDirectory();
    const station = uniqueName("spooled");
    let gateway = await start(dir, station);
    const clients = await startClients(gateway, station, KEYS);
    await clients.more(5, STORED);
    await kafka.kill();
    await clients.more(10, SPOOLED);
    await until(() => foldersIn(dir).length >= 2);
    for (const worker of [1, 2]) {
      process.kill(pidOf(gateway, worker), "SIGKILL");
      await clients.more(5, SPOOLED);
      await until(() => linesOf(gateway, "worker started").length >= 2 + worker);
    }
    await until(() => foldersIn(dir).length >= 4);
    await gateway.stop("SIGKILL");
    gateway = await start(dir, station);
    clients.useGateway(gateway);
    await clients.more(5, SPOOLED);
    await expectAllAfterReturn(gateway, station, clients);
    expect(new Set(clients.sent.map(({ status }) => status))).toEqual(new Set([STORED, SPOOLED, "broken"]));
    expect(await gateway.stop()).toBe(0);
    expect(foldersIn(dir)).toEqual([]);
    await gateway[Symbol.asyncDispose]();
  }, 300_000);

  it.each([1, 2])(
    "kills worker %i if it is frozen, and the others spool meanwhile",
    async (worker) => {
      const dir = newDirectory();
      const station = uniqueName("frozen");
      const gateway = await start(dir, station);
      const clients = await startClients(gateway, station, KEYS);
      await clients.more(5, STORED);
      const frozen = pidOf(gateway, worker);
      process.kill(frozen, "SIGSTOP");
      await kafka.kill();
      const before = performance.now();
      await clients.more(5, SPOOLED);
      // No spooled event is answered before the frozen worker has ended.
      expect(performance.now() - before).toBeGreaterThan(4000);
      // The lines of the log come a little later than the answers.
      await until(() => linesOf(gateway, "worker ended; it will be replaced").length > 0);
      expect(linesOf(gateway, "worker ended; it will be replaced")).toMatchObject([{ pid: frozen }]);
      await expectAllAfterReturn(gateway, station, clients);
      await gateway[Symbol.asyncDispose]();
    },
    300_000,
  );

  it("leaves the directory to a frozen worker of a killed main process until the worker has ended", async () => {
    const dir = newDirectory();
    const station = uniqueName("thawed");
    let gateway = await start(dir, station);
    const clients = await startClients(gateway, station, KEYS);
    await clients.more(5, STORED);
    await kafka.kill();
    await clients.more(5, SPOOLED);
    const frozen = pidOf(gateway, 2);
    process.kill(frozen, "SIGSTOP");
    await gateway.stop("SIGKILL");
    try {
      await expect(start(dir, station)).rejects.toThrow(
        `spool.dir: another process uses the spool in ${dir}`,
      );
    } finally {
      process.kill(frozen, "SIGCONT");
    }
    gateway = await start(dir, station);
    clients.useGateway(gateway);
    await clients.more(5, SPOOLED);
    await expectAllAfterReturn(gateway, station, clients);
    await gateway[Symbol.asyncDispose]();
  }, 300_000);

  it("has one maxBytes and one sum of metrics for all workers", async () => {
    const dir = newDirectory();
    const station = uniqueName("full");
    const gateway = await start(dir, station, { maxBytes: "1mb" });
    const metric = async (name: string): Promise<number> => {
      const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
      return Number(new RegExp(`^stationgate_spool_${name} (.*)$`, "m").exec(text)?.[1]);
    };
    const token = await signIn(gateway);
    const send = async (n: number): Promise<number> => {
      const { status } = await fetch(`${gateway.url}/stations/${station}/produce/single`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, connection: "close" },
        body: JSON.stringify({ n, key: "a", pad: "x".repeat(20_000) }),
      });
      return status;
    };
    expect(await send(0)).toBe(200);
    await kafka.kill();
    const acknowledged = [0];
    for (let n = 1; n <= 70; n += 1) if ((await send(n)) === 200) acknowledged.push(n);
    expect(foldersIn(dir)).toHaveLength(2);
    expect(acknowledged.length).toBeGreaterThan(45);
    expect(acknowledged.length).toBeLessThan(55);
    expect(await metric("bytes")).toBeGreaterThan(900_000);
    expect(await metric("bytes")).toBeLessThanOrEqual(1024 * 1024);
    await until(async () => (await metric("events")) === acknowledged.length - 1);
    await kafka.start();
    await until(() => hasDrained(gateway));
    expect((await numbersIn(station)).get("a")).toEqual(acknowledged);
    // The contents of the directory are read once in a second.
    await until(async () => (await metric("bytes")) === 0);
    expect(await metric("events")).toBe(0);
    // The first append of the first spooled event may succeed late: then the event is not drained.
    expect(await metric("drained_total")).toBeGreaterThanOrEqual(acknowledged.length - 2);
    await gateway[Symbol.asyncDispose]();
  }, 300_000);
});
