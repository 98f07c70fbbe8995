/** Connectors and the event service with the real program, under faults that once lost events or sent them twice. */
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel, type Admin } from "kafkajs";
import { VECTORS } from "../delivery/event-service/vectors.ts";
import {
  admin,
  createConnector,
  delivered,
  deliverySettings,
  produceBatch,
} from "../support/connector-api.ts";
import { describeOnEachBroker, type BrokerUnderTest } from "../support/each-broker.ts";
import { startGateway, type Gateway } from "../support/gateway.ts";
import { DONE, RETRY, startHttpSink, type HttpSink } from "../support/http-sink.ts";
import { describeKafkaApart, uniqueName } from "../support/kafka/describe.ts";

/** Number of requests for each record, by partition and offset. */
const countByRecord = (sink: HttpSink): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  for (const { partition, offset } of delivered(sink)) {
    const id = `${partition}@${offset}`;
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
};

/** Number of repeated requests, without those of the record `retried`. */
const repeated = (sink: HttpSink, retried: string): number =>
  [...countByRecord(sink)].reduce((sum, [id, count]) => (id === retried ? sum : sum + count - 1), 0);

const FINISHED = 500;
const CONCURRENCY = 16;
/** Records in flight, finished records that were not committed yet, and those of a commit on its way. A repeated run has hundreds. */
const MAX_REPEATED = 4 * CONCURRENCY;

const finishedRecords = (broker: BrokerUnderTest): void => {
  let gateway: Gateway;
  let sink: HttpSink;
  let topic: string;

  beforeEach(async () => {
    topic = uniqueName("waiting");
    sink = await startHttpSink(({ body }) => (body.includes("waiting") ? RETRY : DONE));
    gateway = await startGateway({
      settings: { broker: broker.settings(), ...deliverySettings(topic, 1) },
    });
    await createConnector(gateway, topic, {
      sink,
      topic,
      ordering: "key",
      concurrency: String(CONCURRENCY),
      "exception.strategy": "PROGRESS_BACK_OFF_DROP_MESSAGE",
      "retry.backoff.sec": "600",
    });
    const events = Array.from({ length: FINISHED + 1 }, (_, n) => ({ key: n === 0 ? "waiting" : `k${n}` }));
    await produceBatch(gateway, topic, events);
    await sink.received(FINISHED + 1);
    // Waits for the answers of the last requests.
    await sleep(200);
  }, 60_000);

  afterEach(async () => {
    await admin(gateway, "DELETE", `/connectors/${topic}`);
    await gateway[Symbol.asyncDispose]();
    await sink.close();
  });

  /** Sends a last record, and waits until it is delivered. All records before it have been read then. */
  const deliverLast = async (): Promise<void> => {
    await produceBatch(gateway, topic, [{ key: "last" }]);
    await sink.until((requests) => requests.some(({ body }) => body.includes('"last"')));
    await sleep(500);
  };

  it.each([
    ["a restart over REST", () => admin(gateway, "POST", `/connectors/${topic}/restart`)],
    [
      "a changed configuration",
      async () => {
        const path = `/connectors/${topic}/config`;
        const config = (await admin(gateway, "GET", path)) as object;
        await admin(gateway, "PUT", path, { ...config, "retry.backoff.sec": "900" });
      },
    ],
    [
      "an orderly stop and start of the process",
      async () => {
        await gateway.stop();
        gateway = await gateway.restart();
      },
    ],
  ])(
    "are not sent again after %s while one record waits for its retry",
    async (_, restart) => {
      await restart();
      await deliverLast();

      expect(repeated(sink, "0@0")).toBeLessThanOrEqual(MAX_REPEATED);
      expect(countByRecord(sink).size).toBe(FINISHED + 2);
    },
    60_000,
  );
};

describeOnEachBroker("finished records", finishedRecords, describeKafkaApart);

const PRODUCERS = 12;
const MAX_REPEATED_EVENTS = 16;

describeKafkaApart("a connector on Kafka", (kafka) => {
  let client: Kafka;
  let adminClient: Admin;
  let sink: HttpSink;
  let gateways: Gateway[];

  beforeEach(async () => {
    client = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING });
    adminClient = client.admin();
    await adminClient.connect();
    sink = await startHttpSink();
    gateways = [];
  });

  afterEach(async () => {
    await Promise.all(gateways.map((gateway) => gateway[Symbol.asyncDispose]()));
    await adminClient.disconnect();
    await sink.close();
  });

  const start = async (stations: readonly string[], partitions = 1): Promise<Gateway> => {
    const gateway = await startGateway({
      settings: {
        broker: { type: "kafka", kafka: { brokers: [...kafka.brokers] } },
        delivery: { allowTargets: ["127.0.0.0/8"] },
        stations: stations.map((name) => ({ name, partitions, key: "/key" })),
      },
    });
    gateways.push(gateway);
    return gateway;
  };

  const positionOf = async (group: string, topic: string): Promise<bigint> => {
    const [offsets] = await adminClient.fetchOffsets({ groupId: group, topics: [topic] });
    return (offsets?.partitions ?? []).reduce((sum, { offset }) => sum + BigInt(offset), 0n);
  };

  const bodiesOf = (): readonly string[] => sink.requests.map(({ body }) => body);

  it("delivers no record of an aborted transaction, and its position reaches the end", async () => {
    const topic = uniqueName("aborted");
    const gateway = await start([topic]);
    const committed: string[] = [];
    const producers = await Promise.all(
      Array.from({ length: PRODUCERS }, async (_, index) => {
        const producer = client.producer({ transactionalId: `${topic}-${index}`, maxInFlightRequests: 1 });
        await producer.connect();
        return producer;
      }),
    );
    for (const round of [0, 1, 2]) {
      const open = await Promise.all(producers.map((producer) => producer.transaction()));
      for (const [index, transaction] of open.entries()) {
        const value = JSON.stringify({ round, index });
        await transaction.send({ topic, messages: [{ value, partition: 0 }] });
      }
      // Most transactions are aborted, in another order than they began.
      for (const index of [5, 0, 11, 3, 8, 1, 10, 6, 2, 9, 4, 7]) {
        if (index % 4 !== round) {
          await open[index]?.abort();
          continue;
        }
        await open[index]?.commit();
        committed.push(JSON.stringify({ round, index }));
      }
    }
    await Promise.all(producers.map((producer) => producer.disconnect()));
    const [end] = await adminClient.fetchTopicOffsets(topic);
    const high = BigInt(end?.high ?? 0);
    await createConnector(gateway, topic, { sink, topic });
    while ((await positionOf(`connect-${topic}`, topic)) < high) await sleep(200);

    expect([...bodiesOf()].sort()).toStrictEqual([...committed].sort());
  }, 120_000);

  it("continues with one topic while its other topic is deleted, and reads the other topic after its recreation", async () => {
    const [kept, deleted] = [uniqueName("kept"), uniqueName("deleted")];
    const gateway = await start([kept, deleted]);
    await createConnector(gateway, kept, { sink, topic: `${kept},${deleted}` });
    await produceBatch(gateway, kept, [{ n: "kept-1" }]);
    await produceBatch(gateway, deleted, [{ n: "deleted-1" }, { n: "deleted-2" }]);
    await sink.received(3);
    await adminClient.deleteTopics({ topics: [deleted] });
    const deletedAt = Date.now();
    await produceBatch(gateway, kept, [{ n: "kept-2" }]);
    await sink.until(() => bodiesOf().some((body) => body.includes("kept-2")));
    await sleep(1000);
    await produceBatch(gateway, kept, [{ n: "kept-3" }]);
    await sink.until(() => bodiesOf().some((body) => body.includes("kept-3")));

    expect(Date.now() - deletedAt).toBeLessThan(30_000);

    await adminClient.createTopics({ topics: [{ topic: deleted, numPartitions: 1 }], waitForLeaders: true });
    const producer = client.producer();
    await producer.connect();
    for (const n of ["deleted-3", "deleted-4"])
      await producer.send({ topic: deleted, messages: [{ value: JSON.stringify({ n }) }] });
    await producer.disconnect();
    await sink.until(() =>
      ["deleted-3", "deleted-4"].every((n) => bodiesOf().some((body) => body.includes(n))),
    );

    expect(bodiesOf()).toHaveLength(7);
  }, 120_000);

  it("of a process that was frozen doesn't repeat the records of another process", async () => {
    const topic = uniqueName("frozen");
    const [one, other] = [await start([topic], 4), await start([topic], 4)];
    sink.answer(() => ({ ...DONE, delayMs: 10 }));
    await createConnector(one, topic, { sink, topic, concurrency: "16", ordering: "key" });
    const events = (from: number, count: number) =>
      Array.from({ length: count }, (_, n) => ({ key: `k${from + n}`, n: from + n }));
    const all = (count: number): Promise<void> =>
      sink.until((requests) => requests.length >= count && new Set(bodiesOf()).size === count);
    await produceBatch(other, topic, events(0, 4000));
    await sink.received(300);
    process.kill(one.pid, "SIGSTOP");
    await sleep(20_000);
    await all(4000);
    process.kill(one.pid, "SIGCONT");
    await sleep(5000);
    await produceBatch(other, topic, events(4000, 50));
    await all(4050);
    await sleep(1000);

    expect(repeated(sink, "")).toBeLessThanOrEqual(MAX_REPEATED);
  }, 120_000);
});

const CLIENTS_GROUP = "group-client-status-callback-lobstr.example";

describeKafkaApart("an event service on Kafka", (kafka) => {
  it("of a process that was frozen neither decreases a client's position nor repeats events", async () => {
    const topic = uniqueName("events");
    const sink = await startHttpSink(() => ({ status: 200, delayMs: 20 }));
    const client = {
      name: "lobstr",
      type: "noncustodial",
      domains: ["lobstr.example"],
      callback_urls: { sep24: sink.url },
    };
    const settings = {
      broker: { type: "kafka", kafka: { brokers: [...kafka.brokers] } },
      stations: [{ name: "events", topic, partitions: 4, key: "/transaction/id" }],
      eventService: {
        events: { enabled: true, queue: { type: "kafka", kafka: { topic } } },
        event_processor: {
          client_status_callback: { enabled: true, bodies: "platform" },
          callback_api_request: { enabled: false },
        },
        clients: { type: "yaml", value: [client] },
      },
    };
    const env = { SECRET_SEP10_SIGNING_SEED: VECTORS.stellarSignature.seed };
    await using one = await startGateway({ settings, env });
    await using other = await startGateway({ settings, env });
    const adminClient = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin();
    await adminClient.connect();
    const events = (from: number, count: number) =>
      Array.from({ length: count }, (_, index) => {
        const n = from + index;
        const transaction = { id: `t${n}`, n, sep: "24", client_name: "lobstr" };
        return { type: "transaction_status_changed", id: `event-${n}`, sep: "24", transaction };
      });
    const all = (count: number): Promise<void> =>
      sink.until((requests) => new Set(requests.map(({ body }) => body)).size === count);
    const decreases: string[] = [];
    let highest = new Map<number, bigint>();
    const checkPositions = async (): Promise<void> => {
      const [offsets] = await adminClient.fetchOffsets({ groupId: CLIENTS_GROUP, topics: [topic] });
      const now = new Map((offsets?.partitions ?? []).map((one) => [one.partition, BigInt(one.offset)]));
      for (const [partition, offset] of highest) {
        const found = now.get(partition) ?? -1n;
        if (found < offset) decreases.push(`${partition}: ${offset} to ${found}`);
      }
      highest = now;
    };
    await produceBatch(other, "events", events(0, 400));
    await sink.received(100);
    process.kill(one.pid, "SIGSTOP");
    await produceBatch(other, "events", events(400, 400));
    const thawAt = Date.now() + 20_000;
    while (Date.now() < thawAt) {
      await checkPositions();
      await sleep(200);
    }
    await all(800);
    process.kill(one.pid, "SIGCONT");
    const watchedUntil = Date.now() + 8000;
    while (Date.now() < watchedUntil) {
      await checkPositions();
      await sleep(50);
    }
    await produceBatch(other, "events", events(800, 50));
    await all(850);
    await adminClient.disconnect();
    await sink.close();

    expect(decreases).toStrictEqual([]);
    // Four requests were in flight, and up to eight finished events were not committed yet.
    expect(sink.requests.length - 850).toBeLessThanOrEqual(MAX_REPEATED_EVENTS);
  }, 120_000);
});
