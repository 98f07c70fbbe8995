/** The event service with the real program: the settings of an Anchor Platform, crashes, and a thousand clients. */
import { spawn } from "node:child_process";
import { readdir, readFile, readlink } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Kafka, logLevel, Partitioners, type Admin, type Producer } from "kafkajs";
import { isSigned, VECTORS } from "../delivery/event-service/vectors.ts";
import { produceBatch } from "../support/connector-api.ts";
import { describeOnEachBroker } from "../support/each-broker.ts";
import { startGateway, type Gateway } from "../support/gateway.ts";
import { startHttpSink, type HttpSink } from "../support/http-sink.ts";
import { describeKafka, uniqueName } from "../support/kafka/describe.ts";

interface Transaction {
  readonly id: string;
  readonly sep?: string;
  readonly n: number;
  readonly client_name?: string;
}

const eventOf = (transaction: Transaction) => ({
  type: "transaction_status_changed",
  id: `event-${transaction.n}`,
  sep: "24",
  transaction: { ...transaction, sep: "24" },
});

/** Each transaction has three consecutive events. */
const events = (count: number) =>
  Array.from({ length: count }, (_, n) => eventOf({ id: `t${Math.floor(n / 3)}`, n }));

const clientOf = (sink: HttpSink, name: string) => ({
  name,
  type: "noncustodial",
  domains: [`${name}.example`],
  callback_urls: { sep24: `${sink.url}/${name}` },
});

/** The secrets in an Anchor Platform's environment. They are in no file. */
const SECRETS = { SECRET_SEP10_SIGNING_SEED: VECTORS.stellarSignature.seed };

const environmentOf = (sink: HttpSink, topic: string): Record<string, string> => ({
  ...SECRETS,
  EVENTS_ENABLED: "true",
  EVENTS_QUEUE_TYPE: "kafka",
  EVENTS_QUEUE_KAFKA_TOPIC: topic,
  EVENT_PROCESSOR_CLIENT_STATUS_CALLBACK_ENABLED: "true",
  EVENT_PROCESSOR_CLIENT_STATUS_CALLBACK_BODIES: "platform",
  EVENT_PROCESSOR_CLIENT_STATUS_CALLBACK_TRANSACTIONS: "own_and_unnamed",
  EVENT_PROCESSOR_CALLBACK_API_REQUEST_ENABLED: "true",
  CALLBACK_API_BASE_URL: `${sink.url}/callback`,
  CLIENTS_TYPE: "json",
  CLIENTS_VALUE: JSON.stringify({ items: [clientOf(sink, "lobstr")] }),
});

const fileOf = (sink: HttpSink, topic: string): Record<string, unknown> => ({
  events: { enabled: true, queue: { type: "kafka", kafka: { topic } } },
  event_processor: {
    client_status_callback: { enabled: true, bodies: "platform", transactions: "own_and_unnamed" },
    callback_api_request: { enabled: true },
  },
  callback_api: { base_url: `${sink.url}/callback` },
  clients: { type: "yaml", value: [clientOf(sink, "lobstr")] },
});

const requestsTo = (sink: HttpSink, url: string) => sink.requests.filter((request) => request.url === url);

const numberOf = (body: string): number => Number(/"n":(\d+)/.exec(body)?.[1]);

/** Expects the first deliveries of each transaction in order, without a gap. */
const expectAllInOrder = (bodies: readonly string[], count: number): void => {
  const firsts = [...new Set(bodies.map(numberOf))];
  const inOrder = [...firsts].sort(
    (one, other) =>
      Math.floor(one / 3) - Math.floor(other / 3) || firsts.indexOf(one) - firsts.indexOf(other),
  );

  expect(inOrder).toStrictEqual(Array.from({ length: count }, (_, n) => n));
};

describeOnEachBroker("the event service", (broker) => {
  let gateway: Gateway;
  let sink: HttpSink;
  let topic: string;

  beforeEach(async () => {
    topic = uniqueName("TRANSACTION");
    sink = await startHttpSink(() => ({ status: 200 }));
  });

  afterEach(async () => {
    await gateway[Symbol.asyncDispose]();
    await sink.close();
  });

  const settings = (eventService: Record<string, unknown> = {}) => ({
    broker: broker.settings(),
    stations: [{ name: "events", topic, partitions: 2, key: "/transaction/id" }],
    eventService,
  });

  it.each([
    ["environment", () => ({ settings: settings(), env: environmentOf(sink, topic) })],
    ["settings file", () => ({ settings: settings(fileOf(sink, topic)), env: SECRETS })],
  ])(
    "with settings in the %s sends signed callbacks to the business server and the client",
    async (_, options) => {
      gateway = await startGateway(options());
      await produceBatch(gateway, "events", events(3));
      await sink.received(6);
      const envelopes = requestsTo(sink, "/event").map(({ body }) => JSON.parse(body) as object);
      const callbacks = requestsTo(sink, "/lobstr");

      expect(envelopes).toMatchObject(
        events(3).map(({ id, type, transaction }) => ({ id, type, payload: { transaction } })),
      );
      expect(callbacks.map(({ body }) => body)).toStrictEqual(
        events(3).map(({ transaction }) => JSON.stringify({ transaction })),
      );
      for (const { headers, body } of callbacks) {
        expect(isSigned(headers["signature"], `127.0.0.1:${sink.port}`, body)).toBe(true);
      }
    },
    60_000,
  );

  it("skips no event after kill -9, keeps each transaction's order, and repeats events with the same ids", async () => {
    const count = 600;
    sink.answer(() => ({ status: 200, delayMs: 2 }));
    gateway = await startGateway({ settings: settings(), env: environmentOf(sink, topic) });
    await produceBatch(gateway, "events", events(count));
    await sink.received(count / 2);
    await gateway.stop("SIGKILL");
    gateway = await gateway.restart();
    const all = (url: string) =>
      new Set(requestsTo(sink, url).map(({ body }) => numberOf(body))).size === count;
    await sink.until(() => all("/event") && all("/lobstr"));
    const ids = new Set(
      requestsTo(sink, "/event").map(
        ({ body }) => `${(JSON.parse(body) as { id: string }).id} ${numberOf(body)}`,
      ),
    );

    expect(ids.size).toBe(count);
    for (const url of ["/event", "/lobstr"]) {
      expectAllInOrder(
        requestsTo(sink, url).map(({ body }) => body),
        count,
      );
    }
  }, 120_000);

  it("follows 307 and 308 within the host, and treats redirects to other hosts as failures", async () => {
    const elsewhere = await startHttpSink(() => ({ status: 200 }));
    const moved = (to: string, status = 307) => ({ status, headers: { location: to } });
    sink.answer(({ url, body }) => {
      if (numberOf(body) === 0 && url === "/lobstr") return moved(`${elsewhere.url}/lobstr`);
      if (url === "/lobstr") return moved("/wallet/here");
      return url === "/event" ? moved(`${sink.url}/business`, 308) : { status: 200 };
    });
    gateway = await startGateway({ settings: settings(), env: environmentOf(sink, topic) });
    await produceBatch(gateway, "events", events(2));
    // The client of the first event gets three attempts. The second event is redirected once for each receiver.
    await sink.until(() => requestsTo(sink, "/wallet/here").length === 1);
    await sink.until(() => requestsTo(sink, "/business").length === 2);
    await gateway.stop();
    const followed = requestsTo(sink, "/wallet/here");
    const numbers = (url: string) => requestsTo(sink, url).map(({ body }) => numberOf(body));
    await elsewhere.close();

    expect(numbers("/lobstr")).toStrictEqual([0, 0, 0, 1]);
    expect(numbers("/business")).toStrictEqual(numbers("/event"));
    expect(
      isSigned(followed[0]?.headers["signature"], `127.0.0.1:${sink.port}`, followed[0]?.body ?? ""),
    ).toBe(true);
    expect(followed[0]?.headers["signature"]).toBe(requestsTo(sink, "/lobstr")[3]?.headers["signature"]);
    expect(elsewhere.requests).toHaveLength(0);
    expect(gateway.output()).toContain(
      `HTTP status 307 to another host, 127.0.0.1:${elsewhere.port}: only redirects to 127.0.0.1:${sink.port} are followed`,
    );
  }, 60_000);

  it("skips records that are not events", async () => {
    gateway = await startGateway({ settings: settings(), env: environmentOf(sink, topic) });
    await produceBatch(gateway, "events", [
      { type: "surprise", id: "e", transaction: { id: "t0" } },
      { transaction: { id: "t0" } },
      ...events(1),
    ]);
    await sink.received(2);

    expect(sink.requests.map(({ url }) => url).sort()).toStrictEqual(["/event", "/lobstr"]);
    await gateway.stop();

    expect(gateway.output()).toContain("unknown event type surprise");
    expect(gateway.output()).toContain("record dropped");
  }, 60_000);
});

/** Number of open sockets of a process, and its resident memory in MiB. */
const footprintOf = async (pid: number): Promise<{ sockets: number; resident: number }> => {
  const descriptors = await readdir(`/proc/${pid}/fd`);
  const targets = await Promise.all(
    descriptors.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => "")),
  );
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return {
    sockets: targets.filter((target) => target.startsWith("socket:")).length,
    resident: Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024,
  };
};

describeKafka("the event service continues", (kafka) => {
  const COUNT = 400;
  let admin: Admin;
  let producer: Producer;
  let sink: HttpSink;
  let topic: string;

  beforeEach(async () => {
    topic = uniqueName("TRANSACTION");
    sink = await startHttpSink(() => ({ status: 200 }));
    const client = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING });
    admin = client.admin();
    producer = client.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await Promise.all([admin.connect(), producer.connect()]);
    await admin.createTopics({ topics: [{ topic, numPartitions: 3 }] });
    await writeEvents(0, COUNT);
  });

  afterEach(async () => {
    await Promise.all([admin.disconnect(), producer.disconnect(), sink.close()]);
  });

  /** Writes one event for each transaction from `from` on. */
  const writeEvents = (from: number, count: number) =>
    producer.send({
      topic,
      messages: Array.from({ length: count }, (_, index) => ({
        key: `t${from + index}`,
        value: JSON.stringify(eventOf({ id: `t${from + index}`, n: from + index, client_name: "wallet" })),
      })),
    });

  /** Runs a reader in this group that commits each event, and kills it after half of the events. */
  const runAndKillReader = async (groupId: string): Promise<void> => {
    const script = fileURLToPath(new URL("../support/kafka/committing-reader.mjs", import.meta.url));
    const reader = spawn(process.execPath, [script, kafka.brokers.join(","), topic, groupId], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let lines = 0;
    for await (const chunk of reader.stdout as AsyncIterable<Buffer>) {
      lines += chunk.toString().split("\n").length - 1;
      if (lines >= COUNT / 2) reader.kill("SIGKILL");
    }
  };

  /** The group's committed offset of each partition. */
  const positionsOf = async (groupId: string) => {
    const [answer] = await admin.fetchOffsets({ groupId, topics: [topic] });
    return new Map(
      answer?.partitions.map(({ partition, offset }) => [partition, Math.max(0, Number(offset))]),
    );
  };

  /** As `positionsOf`, after the last commit of a killed process: Kafka may still carry out a commit that it sent before. */
  const finalPositionsOf = async (groupId: string) => {
    for (let before = await positionsOf(groupId); ;) {
      await sleep(250);
      const after = await positionsOf(groupId);
      if (sum(after.values()) === sum(before.values())) return after;
      before = after;
    }
  };

  const lengths = async () => {
    const offsets = await admin.fetchTopicOffsets(topic);
    return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]));
  };

  const sum = (numbers: Iterable<number>): number => [...numbers].reduce((one, other) => one + other, 0);

  const gatewayFor = (target: HttpSink): Promise<Gateway> => {
    const domains = ["wallet.example", "app.wallet.example"];
    return startGateway({
      env: {
        ...SECRETS,
        EVENTS_QUEUE_KAFKA_BOOTSTRAP_SERVER: kafka.brokers.join(","),
        EVENTS_QUEUE_KAFKA_TOPIC: topic,
        EVENT_PROCESSOR_CLIENT_STATUS_CALLBACK_BODIES: "platform",
      },
      settings: { eventService: { clients: { value: [{ ...clientOf(target, "wallet"), domains }] } } },
    });
  };

  it.each([
    ["the original", "wallet.example,app.wallet.example"],
    ["an earlier Stationgate", "wallet"],
  ])(
    "at the last commit of %s that was killed, without repeating or missing an event",
    async (_, name) => {
      const group = `group-client-status-callback-${name}`;
      await runAndKillReader(group);
      const before = await finalPositionsOf(group);
      const left = COUNT - sum(before.values());
      await using gateway = await gatewayFor(sink);
      await sink.received(left);
      await gateway.stop();

      expect(left).toBeGreaterThan(0);
      expect(left).toBeLessThanOrEqual(COUNT / 2);
      expect(sink.requests).toHaveLength(left);
      expect(new Set(sink.bodies.map(numberOf)).size).toBe(left);
      // The total number of events is the same, so it sent exactly the uncommitted events.
      expect(await positionsOf(group)).toStrictEqual(await lengths());

      await writeEvents(COUNT, 3);
      await using again = await gateway.restart();
      await sink.received(left + 3);
      await again.stop();

      expect(sink.bodies.slice(left).map(numberOf).sort()).toStrictEqual([COUNT, COUNT + 1, COUNT + 2]);
    },
    120_000,
  );
});

describeKafka("the event service of a thousand clients", (kafka) => {
  const COUNT = 1000;
  let gateway: Gateway;
  let sink: HttpSink;
  const pods: Gateway[] = [];

  afterAll(async () => {
    for (const pod of pods) await pod[Symbol.asyncDispose]();
    await sink.close();
  });

  it("has few connections, sends each client its own events, and keeps each client's position", async () => {
    sink = await startHttpSink(() => ({ status: 200 }));
    const topic = uniqueName("TRANSACTION");
    const run = uniqueName("wallet");
    const clientNames = Array.from({ length: COUNT }, (_, index) => `${run}-${index}`);
    const client = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING });
    const admin = client.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 3 }] });
    const producer = client.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    const writeEvents = (recipients: readonly string[], from: number) =>
      producer.send({
        topic,
        messages: recipients.map((name, index) => ({
          key: name,
          value: JSON.stringify(eventOf({ id: name, n: from + index, client_name: name })),
        })),
      });
    const env = {
      ...SECRETS,
      EVENTS_QUEUE_KAFKA_BOOTSTRAP_SERVER: kafka.brokers.join(","),
      EVENTS_QUEUE_KAFKA_TOPIC: topic,
      EVENT_PROCESSOR_CLIENT_STATUS_CALLBACK_BODIES: "platform",
    };
    const settings = {
      eventService: { clients: { value: clientNames.map((name) => clientOf(sink, name)) } },
    };

    await writeEvents(clientNames.slice(0, 10), 0);
    gateway = await startGateway({ env, settings });
    pods.push(gateway);
    await sink.received(10);
    const idle = await footprintOf(gateway.pid);

    expect(idle.sockets).toBeLessThan(40);
    expect(idle.resident).toBeLessThan(400);

    await writeEvents(clientNames, 10);
    await sink.received(10 + COUNT);
    await gateway.stop();
    const positions = await Promise.all(
      clientNames
        .slice(0, 20)
        .map((name) =>
          admin.fetchOffsets({ groupId: `group-client-status-callback-${name}.example`, topics: [topic] }),
        ),
    );
    const ends = await admin.fetchTopicOffsets(topic);
    const sorted = (offsets: readonly { partition: number; offset: string }[]) =>
      offsets.map(({ partition, offset }) => `${partition}@${offset}`).sort();
    for (const [answer] of positions) {
      expect(sorted(answer?.partitions ?? [])).toStrictEqual(
        sorted(ends.map(({ partition, high }) => ({ partition, offset: high }))),
      );
    }

    gateway = await gateway.restart();
    pods.push(gateway);
    await writeEvents(clientNames.slice(0, 5), 2000);
    await sink.received(15 + COUNT);

    expect(new Set(sink.requests.map(({ url, body }) => `${url} ${numberOf(body)}`)).size).toBe(15 + COUNT);

    await Promise.all([producer.disconnect(), admin.disconnect()]);
  }, 120_000);
});
