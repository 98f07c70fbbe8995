/** Connectors with a transform, of each family. */
import { createHmac } from "node:crypto";
import type { RecordHeader } from "../../../src/broker/broker.ts";
import { parseConnectorConfig } from "../../../src/delivery/connectors/connector-config.ts";
import { NO_DECODING } from "../../../src/delivery/connectors/decoding.ts";
import { NO_EXPRESSIONS } from "../../../src/delivery/expressions/expressions.ts";
import type { Sandbox, Transformed } from "../../../src/delivery/expressions/transform/sandbox.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { createRig, TOPIC, type Rig } from "../rig.ts";

let rig: Rig;
/** The values that were transformed. */
let values: string[];
let transform: (value: string, runs: number) => Transformed;

const done = (json: string): Transformed => ({ status: "done", json: Buffer.from(json) });

const sandbox: Sandbox = {
  run: (_, __, value) => {
    values.push(String(value));
    return Promise.resolve(transform(String(value), values.length));
  },
  close: () => undefined,
};

beforeEach(async () => {
  values = [];
  transform = (value) =>
    value === "bad" ? { status: "failed", reason: "no result" } : done(`{"t":${value}}`);
  rig = await createRig(systemClock, 1, NO_DECODING, { ...NO_EXPRESSIONS, sandbox });
  rig.sink.answer(() => ({ status: 200 }));
});

afterEach(async () => {
  await rig.close();
});

const auckland = { "success.without.flag": "success", "retry.backoff.sec": "0", transform: "$" };
const aiven = (): Record<string, string> => ({
  "connector.class": "io.aiven.kafka.connect.http.HttpSinkConnector",
  "http.url": rig.sink.url,
  "http.authorization.type": "none",
  "retry.backoff.ms": "0",
  transform: "$",
});

const FAMILIES: readonly (readonly [string, () => Record<string, string>])[] = [
  ["Auckland", () => auckland],
  ["Aiven", aiven],
];

const SECRET = Buffer.from("a secret of the tests, 32 bytes!");

describe.each(FAMILIES)("a transform of the %s family", (_, config) => {
  it("makes the body, which is JSON and is signed", async () => {
    await rig.produce(["1"]);
    rig.run({ ...config(), secret: `whsec_${SECRET.toString("base64")}` });
    await rig.sink.received(1);
    const [request] = rig.sink.requests;
    const headers = request?.headers;
    const signed = `${String(headers?.["webhook-id"])}.${String(headers?.["webhook-timestamp"])}.{"t":1}`;

    expect(request?.body).toBe('{"t":1}');
    expect(headers).toMatchObject({
      "content-type": "application/json",
      "webhook-signature": `v1,${createHmac("sha256", SECRET).update(signed).digest("base64")}`,
    });
  });

  it("runs after the filter, and again for a retry", async () => {
    rig.sink.answer((__, index) => ({ status: index === 0 ? 500 : 200 }));
    await rig.produce(["1", "2"]);
    rig.run({ ...config(), filter: "data == 2" });
    await rig.sink.received(2);

    expect(values).toStrictEqual(["2", "2"]);
    expect(rig.sink.bodies).toStrictEqual(['{"t":2}', '{"t":2}']);
  });

  it("waits while its expression pauses, and keeps the order", async () => {
    transform = (value, runs) => (runs < 3 ? { status: "paused", ms: 1 } : done(value));
    await rig.produce(["1", "2"]);
    rig.run(config());
    await rig.sink.received(2);

    expect(values).toStrictEqual(["1", "1", "1", "2"]);
    expect(rig.sink.bodies).toStrictEqual(["1", "2"]);
  });

  it("that fails stops the task, if failed records have no other place", async () => {
    await rig.produce(["1", "bad", "2"]);
    rig.run(config());
    while (rig.traces.length === 0) await new Promise(setImmediate);

    expect(rig.traces[0]).toMatch(/orders.*the transform failed: no result$/);
    expect(rig.sink.bodies).toStrictEqual(['{"t":1}']);
  });

  it("that is wrong is refused with its value and the reason", () => {
    const parsed = parseConnectorConfig("crm", { topics: TOPIC, ...config(), transform: "$eval('1')" });

    expect("faults" in parsed && parsed.faults.map(({ message }) => message)).toContain(
      "Invalid value $eval('1') for configuration transform: $eval is not allowed",
    );
  });
});

describe("a record whose transform failed", () => {
  it("goes to dead.letter.topic, as it was", async () => {
    await rig.produce(["bad", "2"]);
    rig.run({ ...auckland, "dead.letter.topic": "letters" });
    await rig.sink.received(1);

    expect(rig.sink.bodies).toStrictEqual(['{"t":2}']);
    expect(rig.drops).toStrictEqual([{ offset: 0n, deadLettered: true }]);
  });

  it("goes to the dead letter queue with the stage TRANSFORMATION", async () => {
    await rig.produce(["bad", "2"]);
    rig.run({
      ...aiven(),
      "errors.tolerance": "all",
      "errors.deadletterqueue.topic.name": "letters",
      "errors.deadletterqueue.context.headers.enable": "true",
    });
    await rig.sink.received(1);
    const headers = await new Promise<readonly RecordHeader[]>((resolve) => {
      void rig.broker.subscribe(
        { group: "letters", topics: ["letters"], from: "earliest" },
        {
          onRecords: ([letter]) => {
            if (letter !== undefined) resolve(letter.headers);
          },
        },
      );
    });

    expect(headers.map(({ name, value }) => `${name}: ${String(value)}`)).toContain(
      "__connect.errors.stage: TRANSFORMATION",
    );
  });

  it("is skipped with errors.tolerance=all and no queue", async () => {
    await rig.produce(["bad", "2"]);
    rig.run({ ...aiven(), "errors.tolerance": "all" });
    await rig.sink.received(1);

    expect(rig.drops).toStrictEqual([{ offset: 0n, deadLettered: false }]);
  });
});

it("makes batches of the results", async () => {
  await rig.produce(["1", "2"]);
  rig.run({
    ...aiven(),
    ...{ "batching.enabled": "true", "batch.linger.ms": "50" },
    ...{ "batch.prefix": "[", "batch.separator": ",", "batch.suffix": "]" },
  });
  await rig.sink.received(1);

  expect(rig.sink.bodies).toStrictEqual(['[{"t":1},{"t":2}]']);
  expect(rig.sink.requests[0]?.headers).toMatchObject({ "content-type": "application/json" });
});
