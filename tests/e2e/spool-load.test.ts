/**
 * GitHub's webhooks at a steady rate, each sent once, while Kafka is away and the gateway is killed twice. The size is small; by hand
 * `SPOOL_LOAD=500x60` sends 500 deliveries/s and stops Kafka for 60 s.
 */
import { createHmac } from "node:crypto";
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { readTopic } from "../support/each-broker.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { describeOwnKafka, uniqueName } from "../support/kafka/describe.ts";
import { type KafkaServer, startKafka } from "../support/kafka/server.ts";
import { until } from "../support/log-lines.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const [RATE = 50, OUTAGE_SECONDS = 6] = (process.env["SPOOL_LOAD"] ?? "50x6").split("x").map(Number);
/** Each key has a sender of its own, which waits for each answer. */
const KEYS = Math.ceil(RATE / 2);
const SECRET = "secret-of-the-webhooks-0123456789";

interface Delivery {
  readonly key: string;
  readonly n: number;
  /** 0: there was no answer. */
  readonly status: number;
  /** Milliseconds of `performance.now()`. */
  readonly begun: number;
  readonly ms: number;
}

const agent = new Agent({ keepAlive: true, maxSockets: KEYS });

/** Resolves to the status, or to 0 without an answer. */
const deliver = (url: string, key: string, n: number): Promise<number> =>
  new Promise((resolve) => {
    const body = JSON.stringify({ key, n });
    const headers = {
      "content-type": "application/json",
      "x-github-delivery": `${key}-${n}`,
      "x-hub-signature-256": `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`,
    };
    const call = request(`${url}/webhooks/github`, { method: "POST", agent, headers }, (answer) => {
      answer.resume();
      answer.once("end", () => {
        resolve(answer.statusCode ?? 0);
      });
      answer.once("error", () => {
        resolve(0);
      });
    });
    call.once("error", () => {
      resolve(0);
    });
    call.end(body);
  });

/** Sends `RATE` deliveries in each second until `stop`. */
const startSenders = (url: string) => {
  const sent: Delivery[] = [];
  const periodMs = (1000 * KEYS) / RATE;
  let isStopped = false;
  const run = async (key: string, index: number): Promise<void> => {
    let due = performance.now() + (index * periodMs) / KEYS;
    for (let n = 1; !isStopped; n += 1) {
      await sleep(Math.max(0, due - performance.now()));
      due += periodMs;
      const begun = performance.now();
      const status = await deliver(url, key, n);
      sent.push({ key, n, status, begun, ms: performance.now() - begun });
    }
  };
  const running = Promise.all(Array.from({ length: KEYS }, (_, index) => run(`k${index}`, index)));
  return {
    sent,
    stop: async (): Promise<void> => {
      isStopped = true;
      await running;
    },
  };
};

describeOwnKafka(`webhook deliveries at ${RATE}/s, Kafka away for ${OUTAGE_SECONDS} s`, () => {
  const dir = temporaryDirectory("spool-load-");
  let kafka: KafkaServer;

  beforeAll(async () => {
    kafka = await startKafka();
  }, 120_000);
  afterAll(() => kafka.stop());

  const start = (station: string): Promise<Gateway> =>
    startGateway({
      settings: {
        broker: { type: "kafka", kafka: { brokers: [...kafka.brokers] } },
        spool: { dir, for: ["webhooks"] },
        webhooks: [{ source: "github", station, scheme: "github", secrets: [SECRET] }],
        stations: [{ name: station, partitions: 3, key: "/key" }],
      },
    });

  const isDrained = async (gateway: Gateway): Promise<boolean> => {
    const answer = await fetch(`${gateway.url}/readyz`);
    return answer.status === 200 && !(await answer.text()).includes("spooling");
  };

  it(
    "stores each delivery that got 2xx once and in the order of its key, and answers no 5xx",
    async () => {
      const station = uniqueName("hooks");
      let gateway = await start(station);
      await until(async () => (await deliver(gateway.url, "first", 0)) === 202);
      await until(() => isDrained(gateway));
      const { sent, stop } = startSenders(gateway.url);
      await until(() => sent.length >= 2 * RATE);
      await kafka.kill();
      /** The times in which no process ran. */
      const gaps: { readonly from: number; readonly to: number }[] = [];
      for (let kill = 1; kill <= 2; kill += 1) {
        await sleep((1000 * OUTAGE_SECONDS) / 3);
        const from = performance.now();
        await gateway.stop("SIGKILL");
        gateway = await gateway.restart();
        gaps.push({ from, to: performance.now() });
      }
      await sleep((1000 * OUTAGE_SECONDS) / 3);
      const spooled = sent.length;
      await kafka.start();
      const back = performance.now();
      await until(() => isDrained(gateway));
      const drainMs = performance.now() - back;
      await until(() => sent.length >= spooled + 2 * RATE);
      await stop();
      await until(() => isDrained(gateway));

      const stored = (await readTopic(kafka.brokers, station))
        .map(({ value }) => JSON.parse(value.toString()) as { readonly key: string; readonly n: number })
        .filter(({ n }) => n > 0);
      const nameOf = ({ key, n }: { readonly key: string; readonly n: number }): string => `${key}-${n}`;
      const names = new Set(stored.map(nameOf));
      const accepted = sent.filter(({ status }) => status === 202);
      const times = accepted.map(({ ms }) => ms).sort((a, b) => a - b);
      const counts = Object.fromEntries(
        [...new Set(sent.map(({ status }) => status))].map((status) => [
          status,
          sent.filter((delivery) => delivery.status === status).length,
        ]),
      );
      const figures = {
        ...{ sent: sent.length, byStatus: counts, stored: stored.length, drainMs: Math.round(drainMs) },
        p50: Math.round(times[Math.floor(times.length / 2)] ?? 0),
        p99: Math.round(times[Math.floor(times.length * 0.99)] ?? 0),
        max: Math.round(times.at(-1) ?? 0),
      };
      process.stderr.write(`${JSON.stringify(figures)}\n`);

      const isInGap = ({ begun, ms }: Delivery): boolean =>
        gaps.some(({ from, to }) => begun <= to && begun + ms >= from);
      expect(
        sent.filter((delivery) => delivery.status !== 202 && !(delivery.status === 0 && isInGap(delivery))),
      ).toEqual([]);
      expect(accepted.map(nameOf).filter((name) => !names.has(name))).toEqual([]);
      expect(stored).toHaveLength(names.size);
      const newest = new Map<string, number>();
      const overtaken = stored.filter(({ key, n }) => {
        const isLate = n < (newest.get(key) ?? 0);
        newest.set(key, n);
        return isLate;
      });
      expect(overtaken).toEqual([]);
      await gateway[Symbol.asyncDispose]();
    },
    300_000 + 10_000 * OUTAGE_SECONDS,
  );
});
