/** Kafka fails under load. Acknowledged events are stored, answers come in time, and the gateway recovers by itself. */
import { setTimeout as sleep } from "node:timers/promises";
import { signIn, startGateway, type Gateway } from "../support/gateway.ts";
import { describeOwnKafka } from "../support/kafka/describe.ts";
import { startKafka, type KafkaServer } from "../support/kafka/server.ts";
import { startLoad } from "../support/load.ts";
import { readTopic } from "../support/each-broker.ts";

const DELIVERY_TIMEOUT = 2000;

describeOwnKafka("an outage of Kafka", () => {
  let kafka: KafkaServer;
  let gateway: Gateway;
  let token: string;

  beforeAll(async () => {
    kafka = await startKafka();
    gateway = await startGateway({
      settings: {
        broker: {
          type: "kafka",
          kafka: { brokers: [...kafka.brokers], deliveryTimeout: `${DELIVERY_TIMEOUT}ms` },
        },
      },
    });
    token = await signIn(gateway);
  }, 120_000);

  afterEach(() => kafka.heal(), 120_000);

  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
    await kafka.stop();
  });

  const produceOne = (station: string): Promise<Response> =>
    fetch(`${gateway.url}/stations/${station}/produce/single`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "text/plain" },
      body: "x",
    });

  const outages: readonly { name: string; begin(): Promise<void>; end(): Promise<void> }[] = [
    {
      name: "frozen",
      begin: () => {
        kafka.freeze();
        return Promise.resolve();
      },
      end: () => {
        kafka.thaw();
        return Promise.resolve();
      },
    },
    { name: "killed", begin: () => kafka.kill(), end: () => kafka.start() },
  ];

  it.each(outages)(
    "($name) is answered with 503 and Retry-After in time, and acknowledged events are stored",
    async (outage) => {
      const station = `outage-${outage.name}`;
      const load = startLoad({ url: gateway.url, token, station, clients: 16, persistent: true });
      await load.acknowledged(500);
      await outage.begin();
      const refused = await produceOne(station);
      expect([refused.status, await refused.json()]).toEqual([
        503,
        { error: "Server error", success: false },
      ]);
      expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
      expect((await fetch(`${gateway.url}/readyz`)).status).toBe(503);
      await outage.end();
      while ((await produceOne(station)).status !== 200) await sleep(100);
      const report = await load.stop();
      expect([...report.statuses.keys()]).toEqual([503]);
      expect([...report.broken.keys()]).toEqual([]);
      const stored = new Set((await readTopic(kafka.brokers, station)).map(({ value }) => value.toString()));
      expect(report.acknowledged.filter((id) => !stored.has(JSON.stringify({ id })))).toEqual([]);
    },
    120_000,
  );
});
