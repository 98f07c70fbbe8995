/**
 * One soak: a gateway on one broker under mixed traffic, with a kill and a freeze. At the end it compares the log with
 * the acknowledgements.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { readTopic } from "../../tests/support/each-broker.ts";
import { ADMIN_TOKEN, signIn, startGateway, type Gateway } from "../../tests/support/gateway.ts";
import { startKafka, type KafkaServer } from "../../tests/support/kafka/server.ts";
import { childrenOf } from "../processes.ts";
import { eventually } from "../targets/settled.ts";
import { SENDERS, type Target } from "./senders.ts";
import { startSink, type CountingSink } from "./sink.ts";
import { startTraffic } from "./traffic.ts";
import type { Outcome } from "./verdict.ts";
import { startWatching } from "./watch.ts";

export type BrokerKind = "embedded" | "kafka";

const STATION = "soak";
const API_KEY = "api-key-of-the-soak-0123456789abcdef";
const SECRET = "webhook-secret-of-the-soak";
/** Milliseconds. */
const LONGEST_FREEZE = 10_000;
const DELIVERY_TIMEOUT = 60_000;
const TOKEN_TTL = "5h";

const say = (text: string): void => void process.stderr.write(`${text}\n`);

const settingsOn = (kafka: KafkaServer | undefined) => ({
  server: { host: "127.0.0.1", port: 0, workers: kafka === undefined ? 1 : 2 },
  broker:
    kafka === undefined
      ? { type: "embedded", embedded: { dir: "./data" } }
      : { type: "kafka", kafka: { brokers: [...kafka.brokers] } },
  auth: {
    accessToken: { secret: "access-secret-of-the-soak-0123456789abcdef", ttl: TOKEN_TTL },
    refreshToken: { secret: "refresh-secret-of-the-soak-0123456789abcdef" },
    accounts: [
      {
        username: "root",
        connectionToken: "root-connection-token-of-the-tests",
        stations: ["*"],
        consume: ["*"],
        groups: ["soak-*"],
      },
    ],
    apiKeys: [{ id: "soak", key: API_KEY, kind: "server", stations: ["*"] }],
  },
  stations: [{ name: STATION, partitions: 4 }],
  webhooks: [{ source: "github", station: STATION, scheme: "github", secrets: [SECRET] }],
  delivery: { allowTargets: ["127.0.0.0/8"] },
});

const createConnector = async ({ adminUrl }: Gateway, sink: CountingSink): Promise<void> => {
  const config = { topics: STATION, "callback.request.url": sink.url, "callback.request.method": "POST" };
  const answer = await fetch(`${adminUrl}/connectors`, {
    method: "POST",
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify({ name: "soak", config }),
  });
  if (!answer.ok) throw new Error(`the connector was refused: ${answer.status} ${await answer.text()}`);
};

const untilReady = (url: string): Promise<void> =>
  eventually(async () => {
    if (!(await fetch(`${url}/readyz`)).ok) throw new Error("The gateway does not become ready");
  });

/** Kills one of several workers, which the gateway replaces, or the only process, which is started again. */
const killOne = async (gateway: Gateway, kafka: KafkaServer | undefined): Promise<Gateway> => {
  if (kafka === undefined) {
    say("kill -9 of the gateway");
    await gateway.stop("SIGKILL");
    return gateway.restart();
  }
  const [worker] = await childrenOf(gateway.pid);
  if (worker === undefined) throw new Error("The gateway has no workers");
  say(`kill -9 of worker ${worker}`);
  process.kill(worker, "SIGKILL");
  return gateway;
};

/** Freezes Kafka, or the gateway if it runs on the embedded log. */
const freeze = async (gateway: Gateway, kafka: KafkaServer | undefined, ms: number): Promise<void> => {
  say(`SIGSTOP of ${kafka === undefined ? "the gateway" : "Kafka"} for ${ms / 1000} s`);
  if (kafka === undefined) process.kill(gateway.pid, "SIGSTOP");
  else kafka.freeze();
  await sleep(ms);
  if (kafka === undefined) process.kill(gateway.pid, "SIGCONT");
  else kafka.thaw();
};

const idIn = (value: string): string => (JSON.parse(value) as { readonly id: string }).id;

/** The ids of all stored events. The embedded log can only be read through the gateway. */
const storedIds = async (target: Target, kafka: KafkaServer | undefined): Promise<readonly string[]> => {
  if (kafka !== undefined)
    return (await readTopic(kafka.brokers, STATION)).map(({ value }) => idIn(value.toString()));
  const ids: string[] = [];
  for (let more = true; more;) {
    const answer = await fetch(`${target.url}/stations/${STATION}/consume/batch`, {
      method: "POST",
      headers: { authorization: `Bearer ${target.token}`, "content-type": "application/json" },
      body: JSON.stringify({
        consumer_name: "recount",
        consumer_group: "soak-recount",
        batch_size: 5000,
        batch_max_wait_time_ms: 500,
      }),
    });
    if (answer.status !== 200) throw new Error(`consume was answered ${answer.status}`);
    const messages = (await answer.json()) as readonly { readonly message: string }[];
    ids.push(...messages.map(({ message }) => idIn(message)));
    more = messages.length > 0;
  }
  return ids;
};

const soakOn = async (kafka: KafkaServer | undefined, sink: CountingSink, ms: number): Promise<Outcome> => {
  let gateway = await startGateway({ settings: settingsOn(kafka) });
  try {
    await untilReady(gateway.url);
    await createConnector(gateway, sink);
    const webhook = { source: "github", secret: SECRET };
    const target = {
      url: gateway.url,
      station: STATION,
      token: await signIn(gateway),
      apiKey: API_KEY,
      webhook,
    };
    const traffic = startTraffic({ target, adminUrl: gateway.adminUrl });
    const freezeMs = Math.min(LONGEST_FREEZE, ms / 10);
    await sleep(ms * 0.05);
    const watching = startWatching(gateway.url, () => gateway.pid);
    await sleep(ms * 0.3);
    gateway = await killOne(gateway, kafka);
    await sleep(ms * 0.2);
    // The time of the gateway's freeze doesn't count as a slow answer.
    const before = kafka === undefined ? await watching() : undefined;
    await freeze(gateway, kafka, freezeMs);
    const after = kafka === undefined ? startWatching(gateway.url, () => gateway.pid) : watching;
    await sleep(ms * 0.45 - freezeMs);
    await traffic.stop();
    const seen = await after();
    await untilReady(gateway.url);
    const stored = await storedIds(target, kafka);
    await sink.until(stored, DELIVERY_TIMEOUT);
    return {
      broker: kafka === undefined ? "embedded log" : "Kafka",
      ...seen,
      rssStart: before?.rssStart ?? seen.rssStart,
      rssPeak: Math.max(before?.rssPeak ?? 0, seen.rssPeak),
      slowestHealth: Math.max(before?.slowestHealth ?? 0, seen.slowestHealth),
      busiestHealth: Math.max(before?.busiestHealth ?? 0, seen.busiestHealth),
      acknowledged: traffic.acknowledged,
      stored,
      delivered: sink.ids,
      clients: Object.keys(SENDERS),
      ...traffic.counts,
      statuses: traffic.statuses,
    };
  } finally {
    await gateway[Symbol.asyncDispose]();
  }
};

/** Runs `ms` milliseconds of traffic, and then reads the log. */
export const soak = async (kind: BrokerKind, ms: number): Promise<Outcome> => {
  const kafka = kind === "kafka" ? await startKafka() : undefined;
  const sink = await startSink();
  try {
    return await soakOn(kafka, sink, ms);
  } finally {
    await sink.close();
    await kafka?.stop();
  }
};
