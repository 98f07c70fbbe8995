/** Deliveries and `/connectors` under faults, with the real program. The unit tests have the single cases. */
import { Kafka, logLevel } from "kafkajs";
import { admin, createConnector, deliverySettings, produceBatch } from "../support/connector-api.ts";
import { readTopic } from "../support/each-broker.ts";
import { ADMIN_TOKEN, startGateway, type Gateway } from "../support/gateway.ts";
import { DONE, startHttpSink, type HttpSink } from "../support/http-sink.ts";
import { describeKafkaApart, uniqueName } from "../support/kafka/describe.ts";
import { HTTP_DONE, startRawEndpoint } from "../support/raw-endpoint.ts";

interface Status {
  readonly tasks: readonly { readonly state: string; readonly trace?: string }[];
}

const pause = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 100));

const statusOf = async (gateway: Gateway, method: string, path: string, body?: object): Promise<number> => {
  const answer = await fetch(`${gateway.adminUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  await answer.arrayBuffer();
  return answer.status;
};

const failedTask = async (gateway: Gateway, name: string): Promise<string> => {
  for (;;) {
    const { tasks } = (await admin(gateway, "GET", `/connectors/${name}/status`)) as Status;
    if (tasks[0]?.state === "FAILED") return tasks[0].trace ?? "";
    await pause();
  }
};

describe("an endpoint that closes kept connections without notice", () => {
  it("gets each record, although the strategy drops failed records", async () => {
    const topic = uniqueName("kept");
    const endpoint = await startRawEndpoint((socket, { onConnection }) => {
      if (onConnection === 0) socket.write(HTTP_DONE);
      else socket.resetAndDestroy();
    });
    const gateway = await startGateway({ settings: deliverySettings(topic, 1) });
    await admin(gateway, "POST", "/connectors", {
      name: "kept",
      config: {
        topics: topic,
        "callback.request.url": endpoint.url,
        "callback.request.method": "POST",
        "exception.strategy": "DROP_MESSAGE",
      },
    });
    await produceBatch(
      gateway,
      topic,
      Array.from({ length: 40 }, (_, n) => ({ key: "k", n })),
    );
    const answered = (): number =>
      new Set(
        endpoint.requests
          .filter(({ onConnection }) => onConnection === 0)
          .map(({ text }) => text.split("\r\n\r\n")[1]),
      ).size;
    while (answered() < 40) await pause();

    expect(gateway.output()).not.toContain('"msg":"record dropped"');
    await gateway[Symbol.asyncDispose]();
    await endpoint.close();
  }, 60_000);
});

describe("a planned stop", () => {
  it("waits for a request in flight, and the record is not sent again", async () => {
    const topic = uniqueName("stopped");
    // Longer than a rebalance would wait.
    const sink = await startHttpSink((_, index) => ({ ...DONE, delayMs: index === 0 ? 5000 : 0 }));
    const gateway = await startGateway({ settings: deliverySettings(topic, 1) });
    await createConnector(gateway, topic, { sink, topic });
    await produceBatch(gateway, topic, [{ n: 0 }, { n: 1 }]);
    await sink.received(1);
    expect(await gateway.stop()).toBe(0);
    await using again = await gateway.restart();
    await sink.received(2);

    expect(sink.bodies.map((body) => JSON.parse(body) as unknown)).toEqual([{ n: 0 }, { n: 1 }]);
    expect(again.output()).not.toContain("server.shutdownGrace is over");
    await sink.close();
  }, 60_000);
});

describeKafkaApart("hardened deliveries on Kafka", (kafka) => {
  let topic: string;
  let gateways: readonly Gateway[];
  let sink: HttpSink;

  beforeEach(async () => {
    topic = uniqueName("hardened");
    sink = await startHttpSink();
    const settings = {
      broker: { type: "kafka", kafka: { brokers: [...kafka.brokers] } },
      ...deliverySettings(topic, 1),
    };
    gateways = await Promise.all([startGateway({ settings }), startGateway({ settings })]);
  }, 90_000);

  afterEach(async () => {
    const [gateway] = gateways;
    if (gateway !== undefined) await statusOf(gateway, "DELETE", `/connectors/${topic}`);
    await Promise.all(gateways.map((one) => one[Symbol.asyncDispose]()));
    await sink.close();
  });

  const dropping = (letters: string) => ({
    sink,
    topic,
    "exception.strategy": "DROP_MESSAGE",
    "dead.letter.topic": letters,
  });

  it("store a dead letter of 2 MiB in a topic that the gateway creates", async () => {
    const [gateway] = gateways as [Gateway];
    sink.answer(() => ({ status: 400 }));
    await createConnector(gateway, topic, dropping(`${topic}.dead`));
    await produceBatch(gateway, topic, [{ key: "k", text: "x".repeat(2 * 1024 * 1024) }]);
    while (!gateways.some((one) => one.output().includes('"msg":"record dropped"'))) await pause();
    const [letter] = await readTopic(kafka.brokers, `${topic}.dead`);

    expect(letter?.value.length).toBeGreaterThan(2 * 1024 * 1024);
  }, 90_000);

  it("fail the task if the dead letter is larger than its topic allows, and keep the position", async () => {
    const [gateway] = gateways as [Gateway];
    const letters = `${topic}.small`;
    const client = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin();
    await client.connect();
    const configEntries = [{ name: "max.message.bytes", value: "1048588" }];
    await client.createTopics({ topics: [{ topic: letters, numPartitions: 1, configEntries }] });
    sink.answer(({ body }) => (body.length > 1000 ? { status: 400 } : DONE));
    await createConnector(gateway, topic, dropping(letters));
    await produceBatch(gateway, topic, [{ key: "k", text: "small" }]);
    await produceBatch(gateway, topic, [{ key: "k", text: "x".repeat(2 * 1024 * 1024) }]);
    await produceBatch(gateway, topic, [{ key: "k", text: "next" }]);

    expect(await failedTask(gateway, topic)).toContain(`can't be stored in topic ${letters}`);
    const committed = async (): Promise<string | undefined> =>
      (await client.fetchOffsets({ groupId: `connect-${topic}`, topics: [topic] }))[0]?.partitions[0]?.offset;
    while ((await committed()) !== "1") await pause();
    await client.disconnect();
  }, 90_000);

  it("let one of two processes create a connector, and show its configuration on both", async () => {
    const [one, two] = gateways as [Gateway, Gateway];
    for (let round = 0; round < 10; round += 1) {
      const configOf = (owner: string) => ({
        topics: topic,
        "callback.request.url": sink.url,
        "callback.request.method": "POST",
        owner,
      });
      const statuses = await Promise.all(
        [one, two].map((gateway, index) =>
          statusOf(gateway, "POST", "/connectors", { name: topic, config: configOf(String(index)) }),
        ),
      );
      expect([...statuses].sort()).toStrictEqual([201, 409]);
      const winner = String(statuses.indexOf(201));
      for (const gateway of [one, two]) {
        expect(await admin(gateway, "GET", `/connectors/${topic}/config`)).toMatchObject({ owner: winner });
      }
      const deletions = await Promise.all(
        [one, two].map((gateway) => statusOf(gateway, "DELETE", `/connectors/${topic}`)),
      );
      expect(deletions.sort()).toStrictEqual([204, 404]);
    }
  }, 120_000);

  it("keep eight changes that are made at the same time", async () => {
    const [gateway] = gateways as [Gateway];
    await createConnector(gateway, topic, { sink, topic });
    const keys = Array.from({ length: 8 }, (_, index) => `x.key.${index}`);
    const statuses = await Promise.all(
      keys.map((key) => statusOf(gateway, "PATCH", `/connectors/${topic}/config`, { [key]: "set" })),
    );

    expect(statuses).toStrictEqual(keys.map(() => 200));
    expect(await admin(gateway, "GET", `/connectors/${topic}/config`)).toMatchObject(
      Object.fromEntries(keys.map((key) => [key, "set"])),
    );
  }, 90_000);
});
