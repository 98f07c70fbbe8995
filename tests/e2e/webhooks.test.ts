/** Webhooks while Kafka is slow. The senders get an answer before their timeout, and lose no event. */
import { createHmac } from "node:crypto";
import { readTopic } from "../support/each-broker.ts";
import { startGateway, type Gateway } from "../support/gateway.ts";
import { describeOwnKafka } from "../support/kafka/describe.ts";
import { startKafka, type KafkaServer } from "../support/kafka/server.ts";

const SECRET = "a-secret-of-the-tests";

/** Timeout of each sender in milliseconds. */
const TIMEOUTS = { slack: 3000, shopify: 5000, github: 10_000 };
type Sender = keyof typeof TIMEOUTS;
const SENDERS = Object.keys(TIMEOUTS) as Sender[];

const sign = (text: string, encoding: "hex" | "base64" = "hex"): string =>
  createHmac("sha256", SECRET).update(text).digest(encoding);

const bodyOf = (id: string): string => JSON.stringify({ event_id: id });

const headersOf = (sender: Sender, id: string): Record<string, string> => {
  const body = bodyOf(id);
  const seconds = String(Math.floor(Date.now() / 1000));
  return {
    slack: {
      "x-slack-request-timestamp": seconds,
      "x-slack-signature": `v0=${sign(`v0:${seconds}:${body}`)}`,
    },
    shopify: { "x-shopify-hmac-sha256": sign(body, "base64"), "x-shopify-event-id": id },
    github: { "x-hub-signature-256": `sha256=${sign(body)}`, "x-github-delivery": id },
  }[sender];
};

describeOwnKafka("webhooks", () => {
  let kafka: KafkaServer;
  let gateway: Gateway;

  beforeAll(async () => {
    kafka = await startKafka();
    gateway = await startGateway({
      settings: {
        broker: { type: "kafka", kafka: { brokers: [...kafka.brokers] } },
        stations: [{ name: "hooks" }],
        webhooks: SENDERS.map((source) => ({ source, scheme: source, station: "hooks", secrets: [SECRET] })),
      },
    });
  }, 120_000);
  afterEach(() => kafka.heal(), 120_000);

  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
    await kafka.stop();
  });

  /** Sends a webhook with the sender's timeout. */
  const deliver = (sender: Sender, id = sender as string): Promise<Response> =>
    fetch(`${gateway.url}/webhooks/${sender}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headersOf(sender, id) },
      body: bodyOf(id),
      signal: AbortSignal.timeout(TIMEOUTS[sender]),
    });

  const statuses = async (): Promise<number[]> =>
    (await Promise.all(SENDERS.map((sender) => deliver(sender)))).map(({ status }) => status);

  it("are answered with 503 while Kafka is frozen, and with 202 afterwards", async () => {
    // After its start the gateway first joins the group of the homes of ids.
    while ((await deliver("github", "first").catch(() => undefined))?.status !== 202);
    kafka.freeze();
    expect(await statuses()).toEqual([503, 503, 503]);
    kafka.thaw();
    let last = await statuses();
    for (let tries = 0; tries < 20 && last.includes(503); tries++) last = await statuses();
    expect(last).toEqual([202, 202, 202]);
    const ids = (await readTopic(kafka.brokers, "hooks")).map(({ headers }) => headers["x-webhook-id"]);
    expect(new Set(ids)).toEqual(new Set(["first", ...SENDERS]));
  }, 120_000);
});
