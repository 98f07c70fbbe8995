/** Sign-in to a real Kafka whose sessions end after ten seconds, with passwords and with tokens. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import type { Broker } from "../../../src/broker/broker.ts";
import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import type { KafkaOptions } from "../../../src/broker/kafka/options.ts";
import type { SaslOptions } from "../../../src/broker/kafka/sign-in/sasl.ts";
import { createTokenFetch } from "../../../src/broker/kafka/sign-in/token-endpoint.ts";
import { createTokenFile } from "../../../src/broker/kafka/sign-in/token-file.ts";
import { createTokenSource } from "../../../src/broker/kafka/sign-in/token-source.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { type IdentityProvider, startIdentityProvider } from "../../support/identity-provider.ts";
import { signIn, startGateway } from "../../support/gateway.ts";
import { describeOwnKafka, uniqueName } from "../../support/kafka/describe.ts";
import { startKafka, type KafkaServer } from "../../support/kafka/server.ts";
import { LIFETIME_S, startTokenEndpoint } from "../../support/kafka/token-endpoint.ts";
import { batch } from "../conformance/once.ts";
import { readOptions } from "../conformance/reading.ts";
import { numbered, subscribe as subscribeTo } from "../conformance/tools.ts";
import { kafkaOptions, sendOnce } from "./options.ts";

const PASSWORD = "correct-horse-battery";
/** The defaults of the settings: the load may be slow, but nothing may fail. */
const TIMES = { connectTimeout: 3000, requestTimeout: 5000, deliveryTimeout: 10_000 };
const ONCE = { mayWrite: () => true, timeoutMs: 10_000 };
/** Milliseconds. Two renewals of each session: after 8 s and after 16 s. */
const LOAD_MS = 18_000;

/** Milliseconds between two requests of a client, so that the test does not use the whole machine. */
const PACE_MS = 5;

/** Notes the port of each connection that the other side closes, until `stop`. */
const watchConnections = () => {
  const ended: number[] = [];
  const onSocket = (message: unknown): void => {
    const { socket } = message as { readonly socket: Socket };
    socket.once("connect", () => {
      const port = socket.remotePort ?? 0;
      socket.once("end", () => {
        if (!socket.writableEnded) ended.push(port);
      });
    });
  };
  subscribe("net.client.socket", onSocket);
  return { ended, stop: () => unsubscribe("net.client.socket", onSocket) };
};

describeOwnKafka("sign-in to Kafka", () => {
  let kafka: KafkaServer;
  let provider: IdentityProvider;
  const open: Broker[] = [];

  beforeAll(async () => {
    provider = await startIdentityProvider();
    kafka = await startKafka({
      listeners: ["SASL_PLAINTEXT"],
      users: { alice: PASSWORD },
      tokenKeys: `${provider.issuer}/jwks`,
      properties: { "connections.max.reauth.ms": "10000" },
    });
  }, 120_000);

  afterEach(async () => {
    await Promise.all(open.splice(0).map((broker) => broker.close()));
  });

  afterAll(async () => {
    await kafka.stop();
    await provider.stop();
  });

  const listener = (): string => kafka.listeners.get("SASL_PLAINTEXT") ?? "";

  const connect = async (sasl: SaslOptions, changes: Partial<KafkaOptions> = {}): Promise<Broker> => {
    const broker = createKafkaBroker(kafkaOptions([listener()], { sasl, ...TIMES, ...changes }));
    open.push(broker);
    await broker.open();
    return broker;
  };

  const password = (mechanism: "plain" | "scram-sha-256" | "scram-sha-512"): SaslOptions => ({
    mechanism,
    username: "alice",
    password: PASSWORD,
  });
  const bearer = (claims: Readonly<Record<string, unknown>> = {}): SaslOptions => ({
    mechanism: "oauthbearer",
    token: () => Promise.resolve(provider.token(claims)),
  });

  const clients: readonly (readonly [KafkaOptions["producer"], SaslOptions])[] = [
    ["platformatic", password("plain")],
    ["kafkajs", password("scram-sha-512")],
    ["platformatic", bearer()],
    ["kafkajs", bearer()],
  ];

  /** Runs every way to use Kafka until `until`. Resolves to the failures. */
  const load = async (broker: Broker, until: number) => {
    const topic = uniqueName("renewed");
    await broker.ensureTopic({ name: topic, partitions: 2 });
    const failures: unknown[] = [];
    const delivered = { count: 0 };
    const count = { appended: 0, once: 0 };
    await broker.subscribe(
      { group: uniqueName("renewed"), topics: [topic], from: "earliest" },
      {
        onRecords: (records) => {
          delivered.count += records.length;
        },
      },
    );
    const append = async (): Promise<void> => {
      while (Date.now() < until) {
        const outcomes = await broker.append(topic, numbered(3));
        failures.push(...outcomes.filter(({ status }) => status !== "stored"));
        count.appended += 3;
        await sleep(PACE_MS);
      }
    };
    const appendOnce = async (partition: number): Promise<void> => {
      await broker.leaderEnd(topic, partition);
      while (Date.now() < until) {
        const [result] = await broker.appendOnce(topic, [batch(partition, "once")], ONCE);
        if (result?.status !== "stored") failures.push(result);
        count.once += 1;
        await sleep(PACE_MS);
      }
    };
    const read = async (): Promise<void> => {
      let offset = 0n;
      while (Date.now() < until) {
        const answer = await broker
          .read({ topic, partition: 0, offset }, readOptions())
          .catch((error: unknown) => {
            failures.push(error);
            return { next: offset };
          });
        offset = answer.next;
      }
    };
    await Promise.all([append(), append(), appendOnce(0), appendOnce(1), read()]);
    const stored = (await broker.watermarks(topic)).reduce((sum, { high }) => sum + Number(high), 0);
    while (delivered.count < stored) await sleep(PACE_MS);
    return { failures, sentTwice: stored - count.appended - count.once, repeated: delivered.count - stored };
  };

  it("keeps storing, reading and delivering while sessions end, and Kafka closes no connection", async () => {
    const connections = watchConnections();
    const brokers = await Promise.all(clients.map(([producer, sasl]) => connect(sasl, { producer })));
    const until = Date.now() + LOAD_MS;
    const results = await Promise.all(brokers.map((broker) => load(broker, until)));
    const ended = connections.ended.filter((port) => listener().endsWith(`:${port}`));
    connections.stop();

    for (const result of results) expect(result).toEqual({ failures: [], sentTwice: 0, repeated: 0 });
    expect(ended).toEqual([]);
  }, 60_000);

  it("fails with a clear reason and without the token if Kafka refuses the token", async () => {
    const expired = { iat: 1, exp: 2 };
    const token = provider.token(expired);
    const printed = (one: unknown): string => inspect(one, { depth: 20, showHidden: true });
    for (const producer of ["kafkajs", "platformatic"] as const) {
      const sasl: SaslOptions = { mechanism: "oauthbearer", token: () => Promise.resolve(token) };
      const options = kafkaOptions([listener()], { sasl, producer });
      const broker = await connect(sasl, { producer, deliveryTimeout: 300 });
      const failure: unknown = await broker.check().catch((error: unknown) => error);
      const results = await sendOnce(options);
      expect(failure).toMatchObject({ code: "BROKER_UNAVAILABLE" });
      expect(results).toMatchObject([{ status: "failed" }]);
      expect(printed(results)).toContain("Kafka refused the token (invalid_token)");
      expect(printed([failure, results])).not.toContain(token);
    }
  });

  it("signs in again with the token that the file has then", async () => {
    const folder = await mkdtemp(join(tmpdir(), "stationgate-token-"));
    const path = join(folder, "token");
    const reads: string[] = [];
    const { token } = createTokenFile(path, {
      onFetch: (read) => reads.push(read),
      onFailure: () => undefined,
    });
    await writeFile(path, `${provider.token({ iat: 1, exp: 2 })}\n`);
    const broker = await connect({ mechanism: "oauthbearer", token });
    await expect(broker.check()).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
    await writeFile(path, `${provider.token()}\n`);
    const isReady = () =>
      broker.check().then(
        () => true,
        () => false,
      );
    // The broker is not asked again immediately after a failure.
    while (!(await isReady())) await sleep(PACE_MS);
    await rm(path);
    await expect(token()).rejects.toThrow(`the token file ${path} cannot be read (ENOENT)`);
    expect(new Set(reads)).toEqual(new Set(["ok", "failed"]));
    await rm(folder, { recursive: true });
  });

  it("uses the token while the endpoint is unavailable, answers 503 after it has expired, and then stores and delivers again", async () => {
    const endpoint = await startTokenEndpoint(() =>
      provider.token({ exp: Math.floor(Date.now() / 1000) + LIFETIME_S }),
    );
    const reasons: string[] = [];
    const source = createTokenSource({
      fetch: createTokenFetch({ endpoint: endpoint.settings, post: endpoint.post, timeout: 1000 }),
      clock: systemClock,
      onFetch: () => undefined,
      onFailure: ({ message }) => reasons.push(message),
    });
    const sasl: SaslOptions = { mechanism: "oauthbearer", token: source.token };
    const broker = await connect(sasl, { producer: "platformatic", deliveryTimeout: 3000 });
    const topic = uniqueName("endpoint");
    await broker.ensureTopic({ name: topic, partitions: 1 });
    const probe = await subscribeTo(broker, { group: uniqueName("endpoint"), topics: [topic] });
    const appendOne = async () => {
      const [outcome] = await broker.append(topic, numbered(1));
      return outcome?.status === "failed" ? outcome.error.code : outcome?.status;
    };
    expect(await appendOne()).toBe("stored");
    endpoint.state = "away";
    expect(await appendOne()).toBe("stored");
    const outcomes = new Set<string | undefined>();
    while (!outcomes.has("BROKER_UNAVAILABLE")) {
      outcomes.add(await appendOne());
      await sleep(PACE_MS);
    }
    expect(outcomes).toEqual(new Set(["stored", "BROKER_UNAVAILABLE"]));
    expect(reasons).toEqual([`the token endpoint ${endpoint.settings.url} answers 503`]);
    endpoint.state = "up";
    while ((await appendOne()) !== "stored") await sleep(PACE_MS);
    const [{ high } = { high: 0n }] = await broker.watermarks(topic);
    await probe.until(() => BigInt(probe.records.length) >= high);
    source.close();
    await endpoint.stop();
  }, 60_000);

  it("is what the program does with its settings, and its output has no secret", async () => {
    const tokens: string[] = [];
    const endpoint = await startTokenEndpoint(() => {
      tokens.push(provider.token());
      return tokens.at(-1) ?? "";
    });
    const { url: tokenEndpoint, ...client } = endpoint.settings;
    const sasl = { mechanism: "oauthbearer", tokenEndpoint, ...client };
    const gateway = await startGateway({
      settings: { broker: { type: "kafka", kafka: { brokers: [listener()], sasl } } },
    });
    const { status } = await fetch(`${gateway.url}/stations/${uniqueName("program")}/produce/single`, {
      method: "POST",
      headers: { authorization: `Bearer ${await signIn(gateway)}`, "content-type": "application/json" },
      body: "{}",
    });
    const metrics = await (await fetch(`${gateway.adminUrl}/metrics`)).text();
    expect(status).toBe(200);
    expect(metrics).toContain('stationgate_kafka_token_fetches_total{outcome="ok"} 1\n');
    expect(await gateway.stop()).toBe(0);
    for (const secret of [client.clientSecret, ...tokens]) expect(gateway.output()).not.toContain(secret);
    await gateway[Symbol.asyncDispose]();
    await endpoint.stop();
  }, 60_000);
});
