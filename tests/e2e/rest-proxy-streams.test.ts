/** Long streams, and streams during a failure of Kafka. Each report is true. */
import { readFile } from "node:fs/promises";
import { startGateway, type Gateway } from "../support/gateway.ts";
import { readTopic, describeOnEachBroker } from "../support/each-broker.ts";
import { describeOwnKafka, uniqueName } from "../support/kafka/describe.ts";
import { startKafka, type KafkaServer } from "../support/kafka/server.ts";

const KEY = "partner-key-of-the-tests-0123456789";
const HEADERS = { "x-api-key": KEY, "content-type": "application/json" };
const MIB = 2 ** 20;

const settings = (broker: Record<string, unknown>): Record<string, unknown> => ({
  broker,
  auth: {
    accessToken: { secret: "access-secret-of-the-tests-0123456789abcdef" },
    refreshToken: { secret: "refresh-secret-of-the-tests-0123456789abcdef" },
    accounts: [
      {
        username: "root",
        connectionToken: "root-connection-token-of-the-tests",
        stations: ["*"],
        consume: ["*"],
      },
    ],
    apiKeys: [{ id: "partner", key: KEY, stations: ["*"] }],
  },
});

const record = (n: number): string => `{"value":{"type":"JSON","data":{"n":${n}}}}\n`;

type Report = Record<string, unknown>;

/** An open stream with its reports so far. */
const openStream = (gateway: Gateway, topic: string) => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  // Settles with the first record, because fetch sends no headers before the first bytes of the body.
  const answer = fetch(`${gateway.url}/v3/clusters/c/topics/${topic}/records`, {
    method: "POST",
    headers: HEADERS,
    duplex: "half",
    body: readable,
  });
  const reader = answer.then(({ body }) => body?.pipeThrough(new TextDecoderStream()).getReader());
  const reports: Report[] = [];
  let rest = "";
  let sent = 0;
  return {
    reports,
    /** Sends `count` records, which are numbered from 0 on. Resolves once they are written. */
    send: (count: number): Promise<void> => {
      const chunk = Array.from({ length: count }, () => record(sent++)).join("");
      return writer.write(Buffer.from(chunk));
    },
    /** Resolves once all sent records are reported. */
    settled: async (): Promise<void> => {
      while (reports.length < sent) {
        const { value = "", done } = (await (await reader)?.read()) ?? { done: true };
        const lines = (rest + value).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) reports.push(JSON.parse(line) as Report);
        if (done) throw new Error(`the stream ended after ${reports.length} reports of ${sent}`);
      }
    },
    end: async (): Promise<void> => {
      await writer.close();
      expect((await (await reader)?.read())?.done).toBe(true);
    },
  };
};

const residentBytes = async ({ pid }: Gateway): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
};

describeOnEachBroker("a stream of 100,000 records", (broker) => {
  const topic = `${uniqueName("long-stream")}-${broker.kind}`;
  let gateway: Gateway;

  beforeAll(async () => {
    gateway = await startGateway({
      settings: { ...settings(broker.settings()), autoCreateStations: true },
      // Other files load the same Kafka, which can pause for longer than the default, 10 s. The pause is not what is tested here.
      env: { STATIONGATE_BROKER_KAFKA_DELIVERY_TIMEOUT: "60s" },
    });
  }, 60_000);

  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
  });

  it("has ordered reports and stored records, without growing memory", async () => {
    const stream = openStream(gateway, topic);
    const rounds = 50;
    let warm = 0;
    for (let round = 0; round < rounds; round++) {
      void stream.send(2000);
      await stream.settled();
      if (round === rounds / 2) warm = await residentBytes(gateway);
    }
    expect((await residentBytes(gateway)) - warm).toBeLessThan(64 * MIB);
    await stream.end();

    expect(stream.reports.filter((report) => report["error_code"] !== 200)).toEqual([]);
    const offsets = new Map<unknown, number>();
    for (const { partition_id: partition, offset } of stream.reports) {
      expect(Number(offset)).toBeGreaterThan(offsets.get(partition) ?? -1);
      offsets.set(partition, Number(offset));
    }
    const stored = (await broker.readAll(gateway, topic)).map(({ value }) => value.toString());
    expect(new Set(stored).size).toBe(100_000);
  }, 300_000);
});

describeOwnKafka("a stream while Kafka is killed and started again", () => {
  let kafka: KafkaServer;
  let gateway: Gateway;

  beforeAll(async () => {
    kafka = await startKafka();
    const broker = { type: "kafka", kafka: { brokers: [...kafka.brokers], deliveryTimeout: "2s" } };
    gateway = await startGateway({
      settings: { ...settings(broker), autoCreateStations: true },
    });
  }, 120_000);

  afterEach(() => kafka.heal(), 120_000);

  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
    await kafka.stop();
  });

  it("has true reports, and continues", async () => {
    const topic = uniqueName("storm");
    const stream = openStream(gateway, topic);
    const sendAll = async (count: number): Promise<void> => {
      void stream.send(count);
      await stream.settled();
    };
    const last = (): unknown => stream.reports.at(-1)?.["error_code"];
    // The topic is created with the first record.
    do await sendAll(1);
    while (last() !== 200);
    await sendAll(50);

    void stream.send(200);
    await kafka.kill();
    await stream.settled();
    await sendAll(20);
    expect(stream.reports.at(-1)).toMatchObject({ error_code: 50302, retriable: true });

    await kafka.start();
    do await sendAll(1);
    while (last() !== 200);
    await sendAll(50);
    expect(stream.reports.slice(-50).map((report) => report["error_code"])).toEqual(Array(50).fill(200));
    await stream.end();

    const stored = new Set((await readTopic(kafka.brokers, topic)).map(({ value }) => value.toString()));
    const known = [...stream.reports.entries()].filter(([, report]) => report["ambiguous"] !== true);
    const untrue = known.filter(([n, report]) => stored.has(`{"n":${n}}`) !== (report["error_code"] === 200));
    expect(untrue).toEqual([]);
  }, 180_000);
});
