/** Kafka with TLS and SASL: each client writes, reads and administers. A wrong secret gives a clear error. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import type { Broker, ConsumedRecord } from "../../../src/broker/broker.ts";
import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import type { KafkaOptions } from "../../../src/broker/kafka/options.ts";
import type { PasswordSignIn } from "../../../src/broker/kafka/sign-in/sasl.ts";
import { makeCertificates } from "../../support/kafka/certificates.ts";
import { describeOwnKafka, uniqueName } from "../../support/kafka/describe.ts";
import type { Protocol } from "../../support/kafka/properties.ts";
import { startKafka, type KafkaServer } from "../../support/kafka/server.ts";
import { batch, summaryOf } from "../conformance/once.ts";
import { record } from "../conformance/tools.ts";
import { kafkaOptions, sendOnce, WRITERS } from "./options.ts";

const PASSWORD = "correct-horse-battery";
const WRONG = "wrong-horse-battery";
const ONCE = { mayWrite: () => true, timeoutMs: 5000 };

const user = (mechanism: PasswordSignIn["mechanism"], password = PASSWORD): PasswordSignIn => ({
  mechanism,
  username: "alice",
  password,
});

describeOwnKafka("Kafka with TLS and SASL", () => {
  let kafka: KafkaServer;
  let brokers: Broker[] = [];

  beforeAll(async () => {
    kafka = await startKafka({
      listeners: ["SSL", "SASL_PLAINTEXT", "SASL_SSL"],
      users: { alice: PASSWORD },
      properties: { "listener.name.ssl.ssl.client.auth": "required" },
    });
  }, 120_000);

  afterEach(async () => {
    await Promise.all(brokers.map((broker) => broker.close()));
    brokers = [];
  });

  afterAll(async () => {
    await kafka.stop();
  });

  const connect = async (protocol: Protocol, changes: Partial<KafkaOptions>): Promise<Broker> => {
    const broker = createKafkaBroker(kafkaOptions([kafka.listeners.get(protocol) ?? ""], changes));
    brokers.push(broker);
    await broker.open();
    return broker;
  };

  const authority = () => ({ ca: kafka.certificates?.ca });

  const credentials: readonly (readonly [string, Protocol, () => Partial<KafkaOptions>])[] = [
    [
      "TLS with a client certificate",
      "SSL",
      () => ({ ssl: { ...authority(), ...kafka.certificates?.client } }),
    ],
    ["a plain password", "SASL_PLAINTEXT", () => ({ sasl: user("plain") })],
    ["SCRAM-SHA-256", "SASL_PLAINTEXT", () => ({ sasl: user("scram-sha-256") })],
    ["SCRAM-SHA-512", "SASL_PLAINTEXT", () => ({ sasl: user("scram-sha-512") })],
    ["SCRAM-SHA-512 over TLS", "SASL_SSL", () => ({ ssl: authority(), sasl: user("scram-sha-512") })],
  ];

  describe.each(WRITERS)("written by %s", (_, settings) => {
    it.each(credentials)("writes and reads with %s", async (_way, protocol, secrets) => {
      const topic = uniqueName("secured");
      const opened = await connect(protocol, { ...settings, ...secrets() });
      await opened.check();
      await opened.ensureTopic({ name: topic, partitions: 1 });
      expect(await opened.append(topic, [record("a")])).toMatchObject([{ status: "stored", offset: 0n }]);
      const read = await new Promise<readonly ConsumedRecord[]>((resolve, reject) => {
        opened
          .subscribe(
            { group: uniqueName("secured"), topics: [topic], from: "earliest" },
            { onRecords: resolve },
          )
          .catch(reject);
      });
      expect(read.map(({ value }) => value?.toString())).toEqual(["a"]);
      expect((await opened.appendOnce(topic, [batch(0, "b")], ONCE)).map(summaryOf)).toEqual(["stored at 1"]);
      expect(await opened.leaderEnd(topic, 0)).toBe(2n);
    });

    const refusals: readonly (readonly [string, Protocol, () => Partial<KafkaOptions>])[] = [
      ["a wrong plain password", "SASL_PLAINTEXT", () => ({ sasl: user("plain", WRONG) })],
      [
        "a wrong SCRAM password",
        "SASL_SSL",
        () => ({ ssl: authority(), sasl: user("scram-sha-256", WRONG) }),
      ],
      ["no password", "SASL_SSL", () => ({ ssl: authority() })],
      ["no client certificate", "SSL", () => ({ ssl: authority() })],
      ["an untrusted certificate authority", "SASL_SSL", () => ({ ssl: {}, sasl: user("plain") })],
      ["no TLS", "SASL_SSL", () => ({ sasl: user("plain") })],
    ];

    it.each(refusals)("fails without revealing a secret with %s", async (_refusal, protocol, secrets) => {
      const opened = await connect(protocol, { ...settings, ...secrets(), deliveryTimeout: 300 });
      const failure: unknown = await opened.check().catch((error: unknown) => error);
      const [outcome] = await opened.append("anything", [record("a")]);
      const [once] = await opened.appendOnce("anything", [batch(0, "a")], { ...ONCE, timeoutMs: 300 });
      const results = await sendOnce(
        kafkaOptions([kafka.listeners.get(protocol) ?? ""], { ...settings, ...secrets() }),
      );

      expect(failure).toMatchObject({ code: "BROKER_UNAVAILABLE" });
      expect(outcome).toMatchObject({ status: "failed", error: { code: "BROKER_UNAVAILABLE" } });
      expect(once).toMatchObject({ status: "unsent", error: { code: "BROKER_UNAVAILABLE" } });
      expect(results).toMatchObject([{ status: "failed" }]);
      const printed = inspect([failure, outcome, once, results], { depth: 20, showHidden: true });
      expect(printed).not.toContain("horse-battery");
      expect(printed).not.toContain("PRIVATE KEY");
    });
  });

  it("refuses a certificate of another authority", async () => {
    const folder = await mkdtemp(join(tmpdir(), "stationgate-ca-"));
    const { ca } = await makeCertificates(folder);
    await rm(folder, { recursive: true });
    const opened = await connect("SASL_SSL", { ssl: { ca }, sasl: user("plain"), producer: "platformatic" });
    await expect(opened.check()).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
  });
});
