/** Kafka fails under load. Acknowledged events are stored, answers come in time, and the gateway recovers by itself. */
import { setTimeout as sleep } from "node:timers/promises";
import { signIn, startGateway, type Gateway } from "../support/gateway.ts";
import { describeOwnKafka, uniqueName } from "../support/kafka/describe.ts";
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
      const station = uniqueName(`outage-${outage.name}`);
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

  it("readers get 503 within ten seconds, never an empty answer, and read on afterwards", async () => {
    // A station and a reader of this attempt: a repeated test must not see the events of the failed one.
    const station = uniqueName("outage-readers");
    await produceOne(station);
    const read = async (waitMs: number): Promise<{ status: number; text: string; ms: number }> => {
      const began = performance.now();
      const answer = await fetch(`${gateway.url}/stations/${station}/consume/batch`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ consumer_name: station, batch_size: 1, batch_max_wait_time_ms: waitMs }),
      });
      return { status: answer.status, text: await answer.text(), ms: performance.now() - began };
    };
    /** Reads until an answer is not 503. */
    const readAgain = async (waitMs: number): Promise<{ status: number; text: string }> => {
      for (;;) {
        const answer = await read(waitMs);
        if (answer.status !== 503) return answer;
      }
    };
    // The test before may have killed Kafka: the home of the readers may need a while.
    expect(await readAgain(10_000)).toMatchObject({
      status: 200,
      text: expect.stringContaining('"x"') as string,
    });

    const waiting = read(60_000);
    await sleep(1000);
    kafka.freeze();
    const began = performance.now();
    // An empty answer is true within a second of the leader's last answer.
    await sleep(1500);
    const answers = [read(1), read(5000), read(60_000)];
    const first = await waiting;
    const msOfWaiting = performance.now() - began;
    const all = [first, ...(await Promise.all(answers))];
    expect(all.map(({ status }) => status)).toEqual([503, 503, 503, 503]);
    // The machine may be loaded: the promise is ten seconds.
    for (const ms of [msOfWaiting, ...all.slice(1).map((one) => one.ms)]) expect(ms).toBeLessThan(15_000);

    await kafka.heal();
    expect((await readAgain(5000)).status).toBe(200);
    await produceOne(station);
    expect(await read(20_000)).toMatchObject({ status: 200, text: expect.stringContaining('"x"') as string });
  }, 120_000);
});
