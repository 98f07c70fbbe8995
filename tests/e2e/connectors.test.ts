/** Connectors with the real program: order, retries and offsets, with the time of each request. */
import {
  admin,
  createConnector,
  delivered,
  deliverySettings,
  produceBatch,
  type Delivered,
} from "../support/connector-api.ts";
import { describeOnEachBroker, type BrokerUnderTest } from "../support/each-broker.ts";
import { startGateway, type Gateway } from "../support/gateway.ts";
import { DONE, RETRY, startHttpSink, type HttpSink } from "../support/http-sink.ts";
import { describeKafkaApart, uniqueName } from "../support/kafka/describe.ts";

interface Event {
  readonly key: string;
  readonly n: number;
}

const eventOf = ({ body }: { readonly body: string }): Event => JSON.parse(body) as Event;

/** The requests for each record. */
const byRecord = (all: readonly Delivered[]): ReadonlyMap<string, readonly Delivered[]> => {
  const records = new Map<string, Delivered[]>();
  for (const request of all) {
    const record = `${request.partition}@${request.offset}`;
    records.set(record, [...(records.get(record) ?? []), request]);
  }
  return records;
};

/** Expects the first deliveries of each partition in the order of its offsets, without a gap. */
const expectOrder = (all: readonly Delivered[]): void => {
  for (const partition of new Set(all.map((request) => request.partition))) {
    const firsts = [...byRecord(all).values()]
      .flatMap(([first]) => first ?? [])
      .filter((request) => request.partition === partition)
      .map(({ offset }) => offset);

    expect(firsts).toStrictEqual(Array.from({ length: firsts.length }, (_, offset) => offset));
  }
};

const suite = (broker: BrokerUnderTest): void => {
  let gateway: Gateway;
  let sink: HttpSink;
  let topic: string;

  beforeEach(async () => {
    topic = uniqueName("delivered");
    sink = await startHttpSink();
    gateway = await startGateway({
      settings: { broker: broker.settings(), ...deliverySettings(topic, 2) },
    });
  }, 60_000);

  afterEach(async () => {
    // Kafka outlives the test, and the next gateway would run this connector.
    await admin(gateway, "DELETE", `/connectors/${topic}`);
    await gateway[Symbol.asyncDispose]();
    await sink.close();
  });

  it("retry a record on its schedule, hold back the next records, and send no other record twice", async () => {
    sink.answer((request) => (eventOf(request).n === 1 && bodiesOf(1).length < 3 ? RETRY : DONE));
    const bodiesOf = (n: number): readonly Delivered[] =>
      delivered(sink).filter((one) => eventOf(one).n === n);
    await createConnector(gateway, topic, { sink, topic, "retry.backoff.sec": "1,2" });
    await produceBatch(
      gateway,
      topic,
      [0, 1, 2].map((n) => ({ key: "a", n })),
    );
    await sink.received(5);
    const [first = 0, second = 0, third = 0] = bodiesOf(1).map(({ at }) => at);

    expect(delivered(sink).map((one) => eventOf(one).n)).toStrictEqual([0, 1, 1, 1, 2]);
    expect([second - first, third - second].map((ms) => Math.round(ms / 1000))).toStrictEqual([1, 2]);
    expect(new Set(bodiesOf(1).map(({ id }) => id)).size).toBe(1);
  }, 60_000);

  it("deliver the other partition during a retry, and nothing while they are paused", async () => {
    const keys = Array.from({ length: 20 }, (_, index) => `key${index}`);
    await createConnector(gateway, topic, { sink, topic, "retry.backoff.sec": "2" });
    await produceBatch(
      gateway,
      topic,
      keys.map((key) => ({ key, n: 0 })),
    );
    await sink.received(20);
    const stuck = delivered(sink).find(({ partition }) => partition === 0);
    const others = delivered(sink).filter(({ partition }) => partition === 1).length;
    const stuckKey = stuck === undefined ? "" : eventOf(stuck).key;
    sink.answer((request) => (eventOf(request).key === stuckKey ? RETRY : DONE));
    await produceBatch(gateway, topic, [{ key: stuckKey, n: 1 }, ...keys.map((key) => ({ key, n: 2 }))]);
    await sink.received(20 + 1 + others);
    await admin(gateway, "PUT", `/connectors/${topic}/pause`);
    const before = sink.requests.length;
    await new Promise((resolve) => setTimeout(resolve, 3000));

    expect(sink.requests).toHaveLength(before);

    sink.answer(() => DONE);
    await admin(gateway, "PUT", `/connectors/${topic}/resume`);
    await sink.until(() => new Set(sink.bodies).size === 41);
    expectOrder(delivered(sink));

    expect([...byRecord(delivered(sink)).values()].filter((requests) => requests.length > 1)).toHaveLength(1);
  }, 60_000);

  it("lose no record after kill -9, keep the order, and repeat few records with the same ids", async () => {
    sink.answer(() => ({ ...(DONE as object), delayMs: 2 }));
    await createConnector(gateway, topic, { sink, topic, "tasks.max": 2 });
    const events = Array.from({ length: 3000 }, (_, n) => ({ key: `key${n % 50}`, n }));
    await produceBatch(gateway, topic, events);
    await sink.received(1000);
    await gateway.stop("SIGKILL");
    const before = sink.requests.length;
    gateway = await gateway.restart();
    await sink.until(() => new Set(sink.bodies).size === events.length);
    const records = [...byRecord(delivered(sink)).values()];
    const repeated = records.filter((requests) => requests.length > 1);
    expectOrder(delivered(sink));

    expect(records).toHaveLength(events.length);
    // At most the records that were finished in the second before, at the speed of this sink.
    expect(repeated.length).toBeLessThan(Math.min(before, 1000));
    for (const requests of repeated) {
      expect(new Set(requests.map(({ id }) => id)).size).toBe(1);
    }
  }, 120_000);

  it("keep their target state over a restart", async () => {
    await createConnector(gateway, topic, { sink, topic });
    await admin(gateway, "PUT", `/connectors/${topic}/pause`);
    await gateway.stop();
    gateway = await gateway.restart();
    const status = await admin(gateway, "GET", `/connectors/${topic}/status`);

    expect(status).toMatchObject({ connector: { state: "PAUSED" } });
  }, 60_000);
};

describeOnEachBroker("connectors", suite, describeKafkaApart);

describeKafkaApart("connectors on several pods", (kafka) => {
  const pods: Gateway[] = [];
  let sink: HttpSink;
  let topic: string;

  const startPod = async (): Promise<Gateway> => {
    const pod = await startGateway({
      settings: {
        broker: { type: "kafka", kafka: { brokers: [...kafka.brokers] } },
        ...deliverySettings(topic, 4),
      },
    });
    pods.push(pod);
    return pod;
  };

  beforeEach(async () => {
    topic = uniqueName("pods");
    sink = await startHttpSink();
  });

  afterEach(async () => {
    const last = pods.at(-1);
    if (last !== undefined) await admin(last, "DELETE", `/connectors/${topic}`);
    await Promise.all(pods.splice(0).map((pod) => pod[Symbol.asyncDispose]()));
    await sink.close();
  });

  it("take over the partitions of a killed pod, and share them with a new pod", async () => {
    const first = await startPod();
    const second = await startPod();
    sink.answer(() => ({ ...(DONE as object), delayMs: 5 }));
    await createConnector(first, topic, { sink, topic, "tasks.max": 4 });
    const produce = (from: number): Promise<void> =>
      produceBatch(
        second,
        topic,
        Array.from({ length: 500 }, (_, n) => ({ key: `key${n % 50}`, n: from + n })),
      );
    await produce(0);
    await sink.received(300);
    await first.stop("SIGKILL");
    const killedAt = Date.now();
    await produce(500);
    await sink.until(() => new Set(sink.bodies).size === 1000);
    const takenOverAfter = Date.now() - killedAt;
    await startPod();
    await produce(1000);
    await sink.until(() => new Set(sink.bodies).size === 1500);
    expectOrder(delivered(sink));

    expect(takenOverAfter).toBeLessThan(15_000);
  }, 120_000);

  it("are not evicted while an endpoint is down for longer than a session", async () => {
    const pod = await startPod();
    await createConnector(pod, topic, { sink, topic, "request.retry.backoff.sec": "14" });
    const events = Array.from({ length: 20 }, (_, n) => ({ key: `key${n}`, n }));
    await produceBatch(pod, topic, events);
    await sink.received(20);
    sink.answer((_, index) => (index < 21 ? { status: 503 } : DONE));
    await produceBatch(pod, topic, [{ key: "key0", n: 100 }]);
    await sink.received(22);

    expect(sink.bodies.filter((body) => body === sink.bodies[20])).toHaveLength(2);
    expect(new Set(sink.bodies).size).toBe(21);
    expect(sink.requests).toHaveLength(22);
  }, 120_000);
});
