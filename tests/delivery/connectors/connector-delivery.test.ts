import type { Delivery } from "../../../src/delivery/connectors/connector-delivery.ts";
import { GatewayError } from "../../../src/errors.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { DONE, RETRY } from "../../support/http-sink.ts";
import { CONNECTORS_TOPIC, createPods, type Pods } from "./pods.ts";

let pods: Pods;

beforeEach(async () => {
  pods = await createPods();
});

afterEach(() => pods.close());

const config = (): Record<string, string> => pods.config({ "exception.strategy": "STOP_TASK" });

const taskOf = async (pod: Delivery) => (await pod.connectors.status("crm")).tasks[0];

/** Polls a condition for which there is no event. */
const until = async (condition: () => Promise<boolean>): Promise<void> => {
  while (!(await condition())) await new Promise(setImmediate);
};

const allAre = async (state: string, of: readonly Delivery[]): Promise<boolean> => {
  const tasks = await Promise.allSettled(of.map(taskOf));
  return tasks.every((task) => task.status === "fulfilled" && task.value?.state === state);
};

describe("processes with one broker", () => {
  it("have the same connectors, share their partitions, and take over from each other", async () => {
    const [one, two] = [await pods.start("one"), await pods.start("two")];
    await one.connectors.create("crm", config());
    await until(async () => (await two.connectors.names()).includes("crm"));
    await until(() => allAre("RUNNING", [one, two]));
    await pods.produce("a", 0);
    await pods.produce("b", 1);
    await pods.sink.received(2);
    await one.close();
    await pods.produce("c", 0);
    await pods.produce("d", 1);
    await pods.sink.received(4);

    expect(pods.sink.bodies.toSorted()).toStrictEqual(["a", "b", "c", "d"]);
  });

  it("all report a failure, and a restart by one process restarts the task", async () => {
    const [one, two] = [await pods.start("one"), await pods.start("two")];
    await one.connectors.create("crm", config());
    pods.sink.answer(() => RETRY);
    await pods.produce("a", 0);
    await until(() => allAre("FAILED", [one, two]));

    expect(await taskOf(one)).toStrictEqual(await taskOf(two));
    expect((await taskOf(one))?.trace).toBe(
      "Delivery stopped at orders-0@0 after attempt 1: HTTP status 200",
    );

    pods.sink.answer(() => DONE);
    await two.connectors.restart("crm", { onlyFailed: true });
    await pods.sink.received(2);
    await until(() => allAre("RUNNING", [one, two]));

    expect(pods.sink.bodies).toStrictEqual(["a", "a"]);
  });

  it("create a connector once if two requests come at the same time", async () => {
    const pod = await pods.start("one");
    const outcomes = await Promise.allSettled([
      pod.connectors.create("crm", config()),
      pod.connectors.create("crm", config()),
    ]);

    expect(outcomes.map(({ status }) => status)).toStrictEqual(["fulfilled", "rejected"]);
  });
});

describe("a start", () => {
  it("fails with a line for each fault of a declared connector", async () => {
    const declared = [{ name: "bad", config: { ...config(), "tasks.max": "x", concurrency: "y" } }];

    await expect(pods.start("one", { declared })).rejects.toThrow(
      "connectors.bad: Invalid value x for configuration tasks.max: Not a number of type INT\n" +
        "connectors.bad: Invalid value y for configuration concurrency: Not a number of type INT",
    );
  });

  it("waits for an unavailable broker, and so do requests meanwhile", async () => {
    const clock = createFakeClock();
    const faults: GatewayError[] = [];
    const ensureTopic = pods.broker.ensureTopic.bind(pods.broker);
    pods.broker.ensureTopic = () => Promise.reject(new GatewayError("BROKER_UNAVAILABLE"));
    const pod = pods.create("one", {
      declared: [{ name: "crm", config: config() }],
      observer: {
        attempted: () => undefined,
        dropped: () => undefined,
        skipped: () => undefined,
        fault: (_, error) => faults.push(error),
      },
      clock,
    });
    const opened = pod.open();
    await clock.pending(2000);

    const names = pod.connectors.names();
    clock.advance(1000);

    expect(faults).toMatchObject([{ code: "BROKER_UNAVAILABLE" }]);

    pods.broker.ensureTopic = ensureTopic;
    clock.advance(1000);
    await opened;
    await pods.produce("a", 0);
    await pods.sink.received(1);

    expect(await names).toStrictEqual(["crm"]);
  });

  it("reads only the connectors of the configured topic", async () => {
    const one = await pods.start("one");
    const other = await pods.start("two", { connectorsTopic: "_stationgate-staging" });
    await one.connectors.create("crm", config());
    await other.connectors.create("ledger", config());

    expect(await one.connectors.names()).toStrictEqual(["crm"]);
    expect(await other.connectors.names()).toStrictEqual(["ledger"]);
  });

  it("limits the wait of requests", async () => {
    const clock = createFakeClock();
    pods.broker.ensureTopic = () => Promise.reject(new GatewayError("BROKER_UNAVAILABLE"));
    const pod = pods.create("one", { clock });
    const names = pod.connectors.names();
    clock.advance(10_000);

    await expect(names).rejects.toMatchObject({
      status: 503,
      message: "The connectors' topic has not been read yet; try again",
    });
  });

  it("ignores records that it can't parse", async () => {
    await pods.broker.ensureTopic({ name: CONNECTORS_TOPIC, partitions: 1 });
    await pods.broker.append(
      CONNECTORS_TOPIC,
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
    const pod = await pods.start("one");

    expect(await pod.connectors.names()).toStrictEqual([]);
  });
});

describe("connectors of the settings file", () => {
  it("keep their target state over a restart, and are removed with their entry in the file", async () => {
    const declared = [{ name: "crm", config: config() }];
    const first = await pods.start("one", { declared });
    await first.connectors.retarget("crm", "PAUSED");
    await first.close();
    const second = await pods.start("one", { declared });

    expect((await taskOf(second))?.state).toBe("PAUSED");

    await second.close();
    const third = await pods.start("one");

    expect(await third.connectors.names()).toStrictEqual([]);
  });
});

describe("a sample", () => {
  it("has the requests in flight and the lag", async () => {
    const clock = createFakeClock();
    const pod = await pods.start("one", { clock });
    pods.sink.answer(() => "hang");
    await pods.broker.append(
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
    await pods.sink.received(1);

    expect(await pod.sample()).toStrictEqual([
      { connector: "crm", inFlight: 1, waiting: 0, lag: { records: 3, seconds: 5 } },
    ]);
  });
});

describe("a replay of dead letters", () => {
  it("is visible to all processes, and runs in one process at a time", async () => {
    const all: Delivery[] = [];
    const options = {
      replaysAnywhere: (name: string) => Promise.resolve(all.some((pod) => pod.isReplaying(name))),
    };
    const [one, other] = [await pods.start("one", options), await pods.start("other", options)];
    all.push(one, other);
    pods.sink.answer(() => RETRY);
    const dropping = { "exception.strategy": "DROP_MESSAGE", "dead.letter.topic": "dead" };
    await one.connectors.create("crm", { ...config(), ...dropping });
    await until(async () => (await other.connectors.names()).length === 1);
    await pods.produce("a", 0);
    await until(async () => (await one.connectors.deadLetters("crm")).records === 1);
    pods.sink.answer(() => "hang");
    await one.connectors.replayDeadLetters("crm");
    const again = await other.connectors.replayDeadLetters("crm");

    expect((await other.connectors.deadLetters("crm")).replaying).toBe(true);
    expect(again.replaying).toBe(true);
    expect([one, other].map((pod) => pod.isReplaying("crm"))).toStrictEqual([true, false]);
  });
});

describe("other settings", () => {
  const ALLOWED = ["127.0.0.0/8"];

  it("start new declared connectors, restart changed ones, and end removed ones", async () => {
    const pod = await pods.start("one", {
      declared: [
        { name: "crm", config: config() },
        { name: "ledger", config: config() },
      ],
    });
    await pods.produce("a");
    await pods.sink.received(2);
    pod.apply({
      allowTargets: ALLOWED,
      declared: [
        { name: "crm", config: { ...config(), "callback.request.method": "PUT" } },
        { name: "new", config: config() },
      ],
    });
    expect(await pod.connectors.names()).toStrictEqual(["crm", "new"]);
    await pods.produce("b");
    // The new connector begins at the first record.
    await pods.sink.received(5);
    const sent = pods.sink.requests.map(({ method, body }) => `${method} ${body}`).toSorted();

    expect(sent).toStrictEqual(["POST a", "POST a", "POST a", "POST b", "PUT b"]);
  });

  it("before the connectors are read count when they are", async () => {
    const pod = pods.create("one", { declared: [{ name: "crm", config: config() }] });
    pod.apply({ allowTargets: ALLOWED, declared: [{ name: "new", config: config() }] });
    await pod.open();

    expect(await pod.connectors.names()).toStrictEqual(["new"]);
  });

  it("refuse targets that are not allowed any more", async () => {
    const pod = await pods.start("one", { declared: [{ name: "crm", config: config() }] });
    await pods.produce("a");
    await pods.sink.received(1);
    pod.apply({ allowTargets: [], declared: [{ name: "crm", config: config() }] });
    await pods.produce("b");
    await until(() => allAre("FAILED", [pod]));

    expect((await taskOf(pod))?.trace).toContain("delivery.allowTargets");
    expect(pods.sink.bodies).toStrictEqual(["a"]);
  });

  it("stop a connector whose dead letters would go to the topic of the audit", async () => {
    const audit: { topic?: string } = {};
    const declared = [{ name: "crm", config: { ...config(), "dead.letter.topic": "ops" } }];
    const pod = await pods.start("one", { declared, auditTopic: () => audit.topic });
    await pods.produce("a");
    await pods.sink.received(1);
    audit.topic = "ops";
    pod.apply({ allowTargets: ALLOWED, declared });
    await until(() => allAre("FAILED", [pod]));

    expect((await taskOf(pod))?.trace).toContain("It is the topic of audit.station");
    await expect(pod.connectors.create("other", { ...config(), "dead.letter.topic": "ops" })).rejects.toThrow(
      "It is the topic of audit.station",
    );
    await expect(pod.connectors.replayDeadLetters("crm")).rejects.toThrow();
  });
});
