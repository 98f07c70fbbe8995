/** Changes of one connector from two processes at the same time, decided by the order of the log. */
import type { AppendOutcome, Broker, BrokerRecord } from "../../../src/broker/broker.ts";
import { createMemoryBroker } from "../../../src/broker/memory/memory-broker.ts";
import {
  createDelivery,
  type Delivery,
  type DeliveryOptions,
} from "../../../src/delivery/connectors/connector-delivery.ts";
import type { GatewayError } from "../../../src/errors.ts";
import { RETRY, startHttpSink, type HttpSink } from "../../support/http-sink.ts";

const LOG = "_stationgate-connectors";

const ignore = (): void => undefined;

let broker: Broker;
let sink: HttpSink;
const pods: Delivery[] = [];

/** `through`: the broker as this process sees it. */
const startPod = async (
  workerId: string,
  { through = broker, ...options }: Partial<DeliveryOptions> & { through?: Broker } = {},
): Promise<Delivery> => {
  const pod = createDelivery({
    broker: through,
    connectorsTopic: LOG,
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

const config = (more: Record<string, string> = {}): Record<string, string> => ({
  topics: "orders",
  "callback.request.url": sink.url,
  "callback.request.method": "POST",
  ...more,
});

const isDefinition = ({ key }: BrokerRecord): boolean => key?.toString().startsWith("connector:") === true;

/** A broker whose appends of definitions wait until so many are waiting, and are then made in their order. */
const gathering = (count: number): Broker => {
  const waiting: (() => void)[] = [];
  let active = true;
  const append = async (
    topic: string,
    records: readonly BrokerRecord[],
  ): Promise<readonly AppendOutcome[]> => {
    if (active && records.some(isDefinition)) {
      const turn = new Promise<void>((resolve) => waiting.push(resolve));
      if (waiting.length === count) {
        active = false;
        for (const go of waiting) go();
      }
      await turn;
    }
    return broker.append(topic, records);
  };
  return { ...broker, append };
};

const codesOf = (settled: readonly PromiseSettledResult<unknown>[]): readonly string[] =>
  settled.map((one) => (one.status === "fulfilled" ? "done" : (one.reason as GatewayError).code)).sort();

/** The newest definition of each connector in the log, as a compaction leaves it. */
const newest = async (): Promise<ReadonlyMap<string, unknown>> => {
  const found = new Map<string, unknown>();
  const [marks] = await broker.watermarks(LOG);
  await new Promise<void>((resolve, reject) => {
    broker
      .subscribe(
        { topics: [LOG], from: "earliest" },
        {
          onRecords: (records) => {
            for (const { key, value } of records)
              found.set(key?.toString() ?? "", value && JSON.parse(value.toString()));
            if (records.at(-1)?.offset === (marks?.high ?? 0n) - 1n) resolve();
          },
        },
      )
      .catch(reject);
  });
  return found;
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

describe("two processes that make one connector at the same time", () => {
  it.each(["create", "configure"] as const)(
    "by %s: one succeeds, and its configuration holds",
    async (how) => {
      const through = gathering(2);
      const [one, two] = [await startPod("one", { through }), await startPod("two", { through })];
      const settled = await Promise.allSettled(
        [one, two].map((pod, index) => pod.connectors[how]("crm", config({ mine: String(index) }))),
      );
      const winner = settled.findIndex(({ status }) => status === "fulfilled");
      const late = await startPod("three");

      expect(codesOf(settled)).toStrictEqual([
        how === "create" ? "CONNECTOR_EXISTS" : "CONNECTOR_CHANGED",
        "done",
      ]);
      for (const pod of [one, two, late]) {
        expect((await pod.connectors.config("crm"))["mine"]).toBe(String(winner));
      }
      expect((await newest()).get("connector:crm")).toMatchObject({ config: { mine: String(winner) } });
    },
  );
});

describe("two processes that change one connector at the same time", () => {
  const race = async (
    ...work: readonly ((pod: Delivery) => Promise<unknown>)[]
  ): Promise<{ codes: readonly string[]; pods: readonly Delivery[] }> => {
    const first = await startPod("first");
    await first.connectors.create("crm", config());
    const through = gathering(work.length);
    const racing = await Promise.all(
      work.map(async (change, index) => ({ change, pod: await startPod(`racing-${index}`, { through }) })),
    );
    const settled = await Promise.allSettled(racing.map(({ change, pod }) => change(pod)));
    return { codes: codesOf(settled), pods: [first, ...racing.map(({ pod }) => pod)] };
  };

  it("by two patches: one holds, the other is refused", async () => {
    const { codes, pods: all } = await race(
      ({ connectors }) => connectors.patch("crm", { a: "1" }),
      ({ connectors }) => connectors.patch("crm", { b: "1" }),
    );
    const configs = await Promise.all(all.map(({ connectors }) => connectors.config("crm")));

    expect(codes).toStrictEqual(["CONNECTOR_CHANGED", "done"]);
    expect("a" in (configs[0] ?? {}) !== "b" in (configs[0] ?? {})).toBe(true);
    for (const one of configs) expect(one).toStrictEqual(configs[0]);
    expect((await newest()).get("connector:crm")).toMatchObject({ config: configs[0] });
  });

  it("by a patch and a pause: both hold, or the patch is refused", async () => {
    const { codes, pods: all } = await race(
      ({ connectors }) => connectors.patch("crm", { a: "1" }),
      ({ connectors }) => connectors.retarget("crm", "PAUSED"),
    );
    const [{ connectors }] = all as [Delivery];

    expect((await connectors.status("crm")).connector.state).toBe("PAUSED");
    expect("a" in (await connectors.config("crm"))).toBe(!codes.includes("CONNECTOR_CHANGED"));
  });

  it("by two deletions: one succeeds, the other finds nothing", async () => {
    const { codes, pods: all } = await race(
      ({ connectors }) => connectors.remove("crm"),
      ({ connectors }) => connectors.remove("crm"),
    );

    expect(codes).toStrictEqual(["CONNECTOR_UNKNOWN", "done"]);
    for (const { connectors } of all) expect(await connectors.names()).toStrictEqual([]);
  });

  it("by a deletion and a patch: no patch brings it back", async () => {
    const { codes, pods: all } = await race(
      ({ connectors }) => connectors.remove("crm"),
      ({ connectors }) => connectors.patch("crm", { a: "1" }),
    );

    expect(codes).toContain("done");
    for (const { connectors } of all) expect(await connectors.names()).toStrictEqual([]);
    expect((await newest()).get("connector:crm")).toBeNull();
  });
});

it("takes a change that follows another one on another process", async () => {
  const [one, two] = [await startPod("one"), await startPod("two")];
  await one.connectors.create("crm", config());
  for (let change = 1; change <= 10; change += 1) {
    const { connectors } = change % 2 === 0 ? one : two;
    await connectors.patch("crm", { [`change.${change}`]: "made" });
  }

  expect(
    Object.keys(await one.connectors.config("crm")).filter((key) => key.startsWith("change.")),
  ).toHaveLength(10);
});

it("makes up for a writer that died after it was late", async () => {
  const pod = await startPod("one");
  await pod.connectors.create("crm", config());
  await broker.append(LOG, [
    {
      key: Buffer.from("connector:crm"),
      value: Buffer.from(JSON.stringify({ config: { late: "true" }, target: "RUNNING", run: 1 })),
      headers: [{ name: "seen", value: Buffer.from("-1") }],
      timestamp: 1,
      partition: 0,
    },
  ]);
  const next = await startPod("two");

  expect(await next.connectors.config("crm")).not.toHaveProperty("late");
  expect((await newest()).get("connector:crm")).toMatchObject({ config: config() });
});

it("takes what an earlier release has written", async () => {
  const pod = await startPod("one");
  await pod.connectors.create("crm", config());
  const value = JSON.stringify({ config: { ...config(), old: "true" }, target: "RUNNING", run: 1 });
  await broker.append(LOG, [
    { key: Buffer.from("connector:crm"), value: Buffer.from(value), headers: [], timestamp: 1, partition: 0 },
  ]);
  await pod.connectors.patch("crm", { new: "true" });

  expect(await pod.connectors.config("crm")).toMatchObject({ old: "true", new: "true" });
});

describe("a connector of the settings file", () => {
  const FAILING = { "exception.strategy": "STOP_TASK" };

  const stateOf = async ({ connectors }: Delivery): Promise<string | undefined> =>
    (await connectors.status("crm")).tasks[0]?.state;

  const declaredWith = (more: Record<string, string>): Partial<DeliveryOptions> => ({
    declared: [{ name: "crm", config: config(more) }],
  });

  const failed = async (): Promise<Delivery> => {
    sink.answer(() => RETRY);
    const pod = await startPod("one", declaredWith(FAILING));
    await broker.append("orders", [
      { key: null, value: Buffer.from("a"), headers: [], timestamp: Date.now(), partition: 0 },
    ]);
    while ((await stateOf(pod)) !== "FAILED") await new Promise(setImmediate);
    await pod.close();
    return pod;
  };

  it("that has failed starts anew when its configuration is another one", async () => {
    await failed();
    const pod = await startPod("one", declaredWith({ ...FAILING, "success.without.flag": "success" }));

    expect(await stateOf(pod)).toBe("RUNNING");
    sink.answer(() => ({ status: 200 }));
    await sink.received(2);
  });

  it("that has failed stays so when its configuration is the same", async () => {
    await failed();
    const reordered = Object.fromEntries(Object.entries(config(FAILING)).reverse());
    const pod = await startPod("one", { declared: [{ name: "crm", config: reordered }] });

    expect(await stateOf(pod)).toBe("FAILED");
  });

  it.each([
    [
      "http://10.0.0.1/",
      "crm",
      "10.0.0.1 is not a public address; add it to delivery.allowTargets to allow it",
    ],
    ["http://0x7f.1/", "crm", "127.0.0.1 is not a public address"],
    ["http://localhost/", "crm", "localhost is not a public address"],
    ["http://example.com/", "..", "Connector name should not be . or .."],
    ["http://example.com/", "a\u0001", "control characters"],
  ])("to %s with the name %j is refused at the start", (url, name, reason) => {
    const start = (): Delivery =>
      createDelivery({
        broker,
        connectorsTopic: LOG,
        allowTargets: [],
        declared: [{ name, config: config({ "callback.request.url": url }) }],
        workerId: "one",
        observer: { attempted: ignore, dropped: ignore, fault: ignore },
      });

    expect(start).toThrow(`connectors.${name}: `);
    expect(start).toThrow(reason);
  });
});
