/** Webhook deliveries that are sent once each, while Kafka is away and the gateway is killed: the spool drains to the homes of ids. */
import { createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { readTopic } from "../support/each-broker.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { describeOwnKafka, uniqueName } from "../support/kafka/describe.ts";
import { type KafkaServer, startKafka } from "../support/kafka/server.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const SECRET = "secret-of-the-webhooks-0123456789";

describeOwnKafka("webhook deliveries with ids and the spool", () => {
  let kafka: KafkaServer;

  beforeAll(async () => {
    kafka = await startKafka();
  }, 120_000);
  afterAll(() => kafka.stop());

  const start = (station: string): Promise<Gateway> =>
    startGateway({
      settings: {
        broker: { type: "kafka", kafka: { brokers: [...kafka.brokers], deliveryTimeout: "3s" } },
        spool: { dir: temporaryDirectory("spool-once-"), after: "300ms", for: ["webhooks"] },
        webhooks: [{ source: "github", station, scheme: "github", secrets: [SECRET] }],
        stations: [{ name: station, partitions: 3, key: "/key" }],
      },
    });

  /** Delivers an event as GitHub signs it. Resolves to the status; 0: no answer. */
  const deliver = async (gateway: Gateway, n: number): Promise<number> => {
    const body = JSON.stringify({ n, key: `k${n % 5}` });
    const signature = createHmac("sha256", SECRET).update(body).digest("hex");
    try {
      const answer = await fetch(`${gateway.url}/webhooks/github`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "x-github-delivery": `delivery-${n}`,
          "x-hub-signature-256": `sha256=${signature}`,
        },
        body,
      });
      await answer.arrayBuffer();
      return answer.status;
    } catch {
      return 0;
    }
  };

  const spools = async (gateway: Gateway): Promise<boolean> =>
    (await (await fetch(`${gateway.url}/readyz`)).text()).includes("spooling");

  it("stores each delivery that got 2xx once, and the deliveries of a key in order", async () => {
    const station = uniqueName("hooks");
    let gateway = await start(station);
    const accepted: number[] = [];
    let next = 0;
    /** Delivers events one after the other. */
    const deliverMany = async (count: number): Promise<readonly number[]> => {
      const others: number[] = [];
      for (const end = next + count; next < end; next += 1) {
        const status = await deliver(gateway, next);
        if (status === 202) accepted.push(next);
        else others.push(status);
      }
      return others;
    };

    while ((await deliver(gateway, next)) !== 202) await sleep(100);
    accepted.push(next);
    next += 1;
    expect(await deliverMany(30)).toEqual([]);
    await kafka.kill();
    expect(await deliverMany(30)).toEqual([]);
    // A repeat inside the outage is spooled too, and dropped by the home.
    expect(await deliver(gateway, next - 1)).toBe(202);
    for (let kill = 0; kill < 2; kill += 1) {
      await gateway.stop("SIGKILL");
      gateway = await gateway.restart();
      expect(await deliverMany(30)).toEqual([]);
    }
    await kafka.start();
    while (await spools(gateway)) await sleep(100);
    expect(await deliverMany(10)).toEqual([]);

    const stored = (await readTopic(kafka.brokers, station)).map(
      ({ value, key }) => ({ ...(JSON.parse(value.toString()) as { n: number }), key }) as const,
    );
    expect(stored.map(({ n }) => n).toSorted((a, b) => a - b)).toEqual(accepted);
    for (const key of ["k0", "k1", "k2", "k3", "k4"]) {
      const numbers = stored.filter((event) => event.key === key).map(({ n }) => n);
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
    await gateway[Symbol.asyncDispose]();
  }, 180_000);
});
