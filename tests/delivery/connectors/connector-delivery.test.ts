import type { Broker } from "../../../src/broker/broker.ts";
import { createMemoryBroker } from "../../../src/broker/memory/memory-broker.ts";
import {
  createDelivery,
  type Delivery,
  type DeliveryOptions,
} from "../../../src/delivery/connectors/connector-delivery.ts";
import { GatewayError } from "../../../src/errors.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { DONE, RETRY, startHttpSink, type HttpSink } from "../../support/http-sink.ts";

let broker: Broker;
let sink: HttpSink;
const pods: Delivery[] = [];

const connectorsTopic = "_stationgate-connectors";

const ignore = (): void => undefined;

/** A process of its own, as far as deliveries know. */
const startPod = async (workerId: string, options: Partial<DeliveryOptions> = {}): Promise<Delivery> => {
  const pod = createDelivery({
    broker,
    connectorsTopic,
    allowTargets: ["127.0.0.0/8"],
    declared: [],
    workerId,
    observer: { attempted: ignore, dropped: ignore, fault: ignore },
    ...options,
  });
  pods.push(pod);
  await pod.open();
  return pod;
};

const config = (): Record<string, string> => ({
  topics: "orders",
  "callback.request.url": sink.url,
  "callback.request.method": "POST",
  "exception.strategy": "STOP_TASK",
});

const produce = async (value: string, partition: number): Promise<void> => {
  await broker.append("orders", [
    { key: null, value: Buffer.from(value), headers: [], timestamp: Date.now(), partition },
  ]);
};

const taskOf = async (pod: Delivery) => (await pod.connectors.status("crm")).tasks[0];

/** Polls what no event tells. */
const until = async (condition: () => Promise<boolean>): Promise<void> => {
  while (!(await condition())) await new Promise(setImmediate);
};

const allAre = async (state: string, of: readonly Delivery[]): Promise<boolean> => {
  const tasks = await Promise.allSettled(of.map(taskOf));
  return tasks.every((task) => task.status === "fulfilled" && task.value?.state === state);
};

beforeEach(async () => {
  broker = createMemoryBroker();
  await broker.open();
  await broker.ensureTopic({ name: "orders", partitions: 2 });
  sink = await startHttpSink();
});

afterEach(async () => {
  await sink.close();
  await Promise.all(pods.splice(0).map((pod) => pod.close()));
  await broker.close();
});

describe("pods of one broker", () => {
  it("know the same connectors, share their partitions, and take over from each other", async () => {
    const [one, two] = [await startPod("one"), await startPod("two")];
    await one.connectors.create("crm", config());
    await until(async () => (await two.connectors.names()).includes("crm"));
    await until(() => allAre("RUNNING", [one, two]));
    await produce("a", 0);
    await produce("b", 1);
    await sink.received(2);
    await one.close();
    await produce("c", 0);
    await produce("d", 1);
    await sink.received(4);

    expect(sink.bodies.toSorted()).toStrictEqual(["a", "b", "c", "d"]);
  });

  it("all see a failure, and a restart from any of them is one of all", async () => {
    const [one, two] = [await startPod("one"), await startPod("two")];
    await one.connectors.create("crm", config());
    sink.answer(() => RETRY);
    await produce("a", 0);
    await until(() => allAre("FAILED", [one, two]));

    expect(await taskOf(one)).toStrictEqual(await taskOf(two));
    expect((await taskOf(one))?.trace).toBe(
      "Delivery stopped at orders-0@0 after attempt 1: HTTP status 200",
    );

    sink.answer(() => DONE);
    await two.connectors.restart("crm", { onlyFailed: true });
    await sink.received(2);
    await until(() => allAre("RUNNING", [one, two]));

    expect(sink.bodies).toStrictEqual(["a", "a"]);
  });

  it("make one connector of two that are asked for at once", async () => {
    const pod = await startPod("one");
    const outcomes = await Promise.allSettled([
      pod.connectors.create("crm", config()),
      pod.connectors.create("crm", config()),
    ]);

    expect(outcomes.map(({ status }) => status)).toStrictEqual(["fulfilled", "rejected"]);
  });
});

describe("a start", () => {
  it("is refused with a line for each fault of a declared connector", async () => {
    const declared = [{ name: "bad", config: { ...config(), "tasks.max": "x", concurrency: "y" } }];

    await expect(startPod("one", { declared })).rejects.toThrow(
      "connectors.bad: Invalid value x for configuration tasks.max: Not a number of type INT\n" +
        "connectors.bad: Invalid value y for configuration concurrency: Not a number of type INT",
    );
  });

  it("waits for a broker that is away, and so does who asks meanwhile", async () => {
    const clock = createFakeClock();
    const faults: GatewayError[] = [];
    const ensureTopic = broker.ensureTopic.bind(broker);
    broker.ensureTopic = () => Promise.reject(new GatewayError("BROKER_UNAVAILABLE"));
    const pod = createDelivery({
      broker,
      connectorsTopic,
      allowTargets: ["127.0.0.0/8"],
      declared: [{ name: "crm", config: config() }],
      workerId: "one",
      observer: { attempted: ignore, dropped: ignore, fault: (_, error) => faults.push(error) },
      clock,
    });
    pods.push(pod);
    const opened = pod.open();
    await clock.pending(2000);

    const names = pod.connectors.names();
    clock.advance(1000);

    expect(faults).toMatchObject([{ code: "BROKER_UNAVAILABLE" }]);

    broker.ensureTopic = ensureTopic;
    clock.advance(1000);
    await opened;
    await produce("a", 0);
    await sink.received(1);

    expect(await names).toStrictEqual(["crm"]);
  });

  it("keeps the connectors of another topic to those who share it", async () => {
    const one = await startPod("one");
    const other = await startPod("two", { connectorsTopic: "_stationgate-staging" });
    await one.connectors.create("crm", config());
    await other.connectors.create("ledger", config());

    expect(await one.connectors.names()).toStrictEqual(["crm"]);
    expect(await other.connectors.names()).toStrictEqual(["ledger"]);
  });

  it("lets nobody wait for ever", async () => {
    const clock = createFakeClock();
    broker.ensureTopic = () => Promise.reject(new GatewayError("BROKER_UNAVAILABLE"));
    const pod = createDelivery({
      broker,
      connectorsTopic,
      allowTargets: [],
      declared: [],
      workerId: "one",
      observer: { attempted: ignore, dropped: ignore, fault: ignore },
      clock,
    });
    const names = pod.connectors.names();
    clock.advance(10_000);

    await expect(names).rejects.toMatchObject({
      status: 503,
      message: "The connectors' topic has not been read yet; try again",
    });
  });

  it("takes no notice of records that it can't read", async () => {
    await broker.ensureTopic({ name: connectorsTopic, partitions: 1 });
    await broker.append(
      connectorsTopic,
      [
        ["connector:x", "{broken"],
        ["connector:y", '{"config":{"a":1}}'],
        ["nonsense", "{}"],
      ].map(([key, value]) => ({
        key: Buffer.from(key ?? ""),
        value: Buffer.from(value ?? ""),
        headers: [],
        timestamp: 1,
      })),
    );
    const pod = await startPod("one");

    expect(await pod.connectors.names()).toStrictEqual([]);
  });
});

describe("connectors of the configuration file", () => {
  it("keep their target state over a restart, and are gone when the file no longer has them", async () => {
    const declared = [{ name: "crm", config: config() }];
    const first = await startPod("one", { declared });
    await first.connectors.retarget("crm", "PAUSED");
    await first.close();
    const second = await startPod("one", { declared });

    expect((await taskOf(second))?.state).toBe("PAUSED");

    await second.close();
    const third = await startPod("one");

    expect(await third.connectors.names()).toStrictEqual([]);
  });
});

describe("a sample", () => {
  it("tells what is in flight and how far a connector is behind", async () => {
    const clock = createFakeClock();
    const pod = await startPod("one", { clock });
    sink.answer(() => "hang");
    await broker.append(
      "orders",
      ["a", "b", "c"].map((value) => ({
        key: null,
        value: Buffer.from(value),
        headers: [],
        timestamp: clock.now() - 5000,
        partition: 0,
      })),
    );
    await pod.connectors.create("crm", config());
    await sink.received(1);

    expect(await pod.sample()).toStrictEqual([
      { connector: "crm", inFlight: 1, waiting: 0, lag: { records: 3, seconds: 5 } },
    ]);
  });
});

describe("a replay of dead letters", () => {
  it("is seen by all processes, and started in one at a time", async () => {
    const pods: Delivery[] = [];
    const options = {
      replaysAnywhere: (name: string) => Promise.resolve(pods.some((pod) => pod.isReplaying(name))),
    };
    const [one, other] = [await startPod("one", options), await startPod("other", options)];
    pods.push(one, other);
    sink.answer(() => RETRY);
    const dropping = { "exception.strategy": "DROP_MESSAGE", "dead.letter.topic": "dead" };
    await one.connectors.create("crm", { ...config(), ...dropping });
    await until(async () => (await other.connectors.names()).length === 1);
    await produce("a", 0);
    await until(async () => (await one.connectors.deadLetters("crm")).records === 1);
    sink.answer(() => "hang");
    await one.connectors.replayDeadLetters("crm");
    const again = await other.connectors.replayDeadLetters("crm");

    expect((await other.connectors.deadLetters("crm")).replaying).toBe(true);
    expect(again.replaying).toBe(true);
    expect([one, other].map((pod) => pod.isReplaying("crm"))).toStrictEqual([true, false]);
  });
});
