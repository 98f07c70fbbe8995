/** Changes of one connector by two processes at the same time. The order of the log decides. */
import type { AppendOutcome, Broker, BrokerRecord } from "../../../src/broker/broker.ts";
import type { Delivery, DeliveryOptions } from "../../../src/delivery/connectors/connector-delivery.ts";
import type { GatewayError } from "../../../src/errors.ts";
import { RETRY } from "../../support/http-sink.ts";
import { CONNECTORS_TOPIC, createPods, type Pods } from "./pods.ts";

let pods: Pods;

beforeEach(async () => {
  pods = await createPods();
});

afterEach(() => pods.close());

const isDefinition = ({ key }: BrokerRecord): boolean => key?.toString().startsWith("connector:") === true;

/** A broker whose appends of definitions wait until `count` of them wait. Then they run in their order. */
const appendingTogether = (count: number): Broker => {
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
        for (const release of waiting) release();
      }
      await turn;
    }
    return pods.broker.append(topic, records);
  };
  return { ...pods.broker, append };
};

const codesOf = (settled: readonly PromiseSettledResult<unknown>[]): readonly string[] =>
  settled.map((one) => (one.status === "fulfilled" ? "done" : (one.reason as GatewayError).code)).sort();

/** The newest value of each key in the log, as after a compaction. */
const newest = async (): Promise<ReadonlyMap<string, unknown>> => {
  const found = new Map<string, unknown>();
  const [marks] = await pods.broker.watermarks(CONNECTORS_TOPIC);
  await new Promise<void>((resolve, reject) => {
    pods.broker
      .subscribe(
        { topics: [CONNECTORS_TOPIC], from: "earliest" },
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

describe("two processes that create one connector at the same time", () => {
  it.each(["create", "configure"] as const)(
    "by %s: one succeeds, and its configuration is kept",
    async (method) => {
      const through = appendingTogether(2);
      const [one, two] = [
        await pods.start("one", { broker: through }),
        await pods.start("two", { broker: through }),
      ];
      const settled = await Promise.allSettled(
        [one, two].map((pod, index) => pod.connectors[method]("crm", pods.config({ owner: String(index) }))),
      );
      const winner = settled.findIndex(({ status }) => status === "fulfilled");
      const late = await pods.start("three");

      expect(codesOf(settled)).toStrictEqual([
        method === "create" ? "CONNECTOR_EXISTS" : "CONNECTOR_CHANGED",
        "done",
      ]);
      for (const pod of [one, two, late]) {
        expect((await pod.connectors.config("crm"))["owner"]).toBe(String(winner));
      }
      expect((await newest()).get("connector:crm")).toMatchObject({ config: { owner: String(winner) } });
    },
  );
});

describe("two processes that change one connector at the same time", () => {
  const race = async (
    ...work: readonly ((pod: Delivery) => Promise<unknown>)[]
  ): Promise<{ codes: readonly string[]; all: readonly Delivery[] }> => {
    const first = await pods.start("first");
    await first.connectors.create("crm", pods.config());
    const through = appendingTogether(work.length);
    const racing = await Promise.all(
      work.map(async (change, index) => ({
        change,
        pod: await pods.start(`racing-${index}`, { broker: through }),
      })),
    );
    const settled = await Promise.allSettled(racing.map(({ change, pod }) => change(pod)));
    return { codes: codesOf(settled), all: [first, ...racing.map(({ pod }) => pod)] };
  };

  it("by two patches: one is kept, the other is refused", async () => {
    const { codes, all } = await race(
      ({ connectors }) => connectors.patch("crm", { a: "1" }),
      ({ connectors }) => connectors.patch("crm", { b: "1" }),
    );
    const configs = await Promise.all(all.map(({ connectors }) => connectors.config("crm")));

    expect(codes).toStrictEqual(["CONNECTOR_CHANGED", "done"]);
    expect("a" in (configs[0] ?? {}) !== "b" in (configs[0] ?? {})).toBe(true);
    for (const one of configs) expect(one).toStrictEqual(configs[0]);
    expect((await newest()).get("connector:crm")).toMatchObject({ config: configs[0] });
  });

  it("by a patch and a pause: both are kept, or the patch is refused", async () => {
    const { codes, all } = await race(
      ({ connectors }) => connectors.patch("crm", { a: "1" }),
      ({ connectors }) => connectors.retarget("crm", "PAUSED"),
    );
    const [{ connectors }] = all as [Delivery];

    expect((await connectors.status("crm")).connector.state).toBe("PAUSED");
    expect("a" in (await connectors.config("crm"))).toBe(!codes.includes("CONNECTOR_CHANGED"));
  });

  it("by two deletions: one succeeds, the other gets CONNECTOR_UNKNOWN", async () => {
    const { codes, all } = await race(
      ({ connectors }) => connectors.remove("crm"),
      ({ connectors }) => connectors.remove("crm"),
    );

    expect(codes).toStrictEqual(["CONNECTOR_UNKNOWN", "done"]);
    for (const { connectors } of all) expect(await connectors.names()).toStrictEqual([]);
  });

  it("by a deletion and a patch: the connector stays deleted", async () => {
    const { codes, all } = await race(
      ({ connectors }) => connectors.remove("crm"),
      ({ connectors }) => connectors.patch("crm", { a: "1" }),
    );

    expect(codes).toContain("done");
    for (const { connectors } of all) expect(await connectors.names()).toStrictEqual([]);
    expect((await newest()).get("connector:crm")).toBeNull();
  });
});

it("each process can change a connector after the other", async () => {
  const [one, two] = [await pods.start("one"), await pods.start("two")];
  await one.connectors.create("crm", pods.config());
  for (let change = 1; change <= 10; change += 1) {
    const { connectors } = change % 2 === 0 ? one : two;
    await connectors.patch("crm", { [`change.${change}`]: "made" });
  }

  expect(
    Object.keys(await one.connectors.config("crm")).filter((key) => key.startsWith("change.")),
  ).toHaveLength(10);
});

it("a late definition of a process that died is overwritten", async () => {
  const pod = await pods.start("one");
  await pod.connectors.create("crm", pods.config());
  await pods.broker.append(CONNECTORS_TOPIC, [
    {
      key: Buffer.from("connector:crm"),
      value: Buffer.from(JSON.stringify({ config: { late: "true" }, target: "RUNNING", run: 1 })),
      headers: [{ name: "seen", value: Buffer.from("-1") }],
      timestamp: 1,
      partition: 0,
    },
  ]);
  const next = await pods.start("two");

  expect(await next.connectors.config("crm")).not.toHaveProperty("late");
  expect((await newest()).get("connector:crm")).toMatchObject({ config: pods.config() });
});

it("definitions of earlier releases are read", async () => {
  const pod = await pods.start("one");
  await pod.connectors.create("crm", pods.config());
  const value = JSON.stringify({ config: { ...pods.config(), old: "true" }, target: "RUNNING", run: 1 });
  await pods.broker.append(CONNECTORS_TOPIC, [
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
    declared: [{ name: "crm", config: pods.config(more) }],
  });

  const failed = async (): Promise<Delivery> => {
    pods.sink.answer(() => RETRY);
    const pod = await pods.start("one", declaredWith(FAILING));
    await pods.produce("a");
    while ((await stateOf(pod)) !== "FAILED") await new Promise(setImmediate);
    await pod.close();
    return pod;
  };

  it("that has failed starts again with a changed configuration", async () => {
    await failed();
    const pod = await pods.start("one", declaredWith({ ...FAILING, "success.without.flag": "success" }));

    expect(await stateOf(pod)).toBe("RUNNING");
    pods.sink.answer(() => ({ status: 200 }));
    await pods.sink.received(2);
  });

  it("that has failed stays failed with the same configuration", async () => {
    await failed();
    const reordered = Object.fromEntries(Object.entries(pods.config(FAILING)).reverse());
    const pod = await pods.start("one", { declared: [{ name: "crm", config: reordered }] });

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
      pods.create("one", {
        allowTargets: [],
        declared: [{ name, config: pods.config({ "callback.request.url": url }) }],
      });

    expect(start).toThrow(`connectors.${name}: `);
    expect(start).toThrow(reason);
  });
});
