/** Connectors with a filter, of each family. */
import { parseConnectorConfig } from "../../../src/delivery/connectors/connector-config.ts";
import { NO_DECODING } from "../../../src/delivery/connectors/decoding.ts";
import { NO_EXPRESSIONS } from "../../../src/delivery/expressions/expressions.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { createRig, TOPIC, type Rig } from "../rig.ts";

let rig: Rig;
let outcomes: string[];

beforeEach(async () => {
  outcomes = [];
  rig = await createRig(systemClock, 1, NO_DECODING, {
    ...NO_EXPRESSIONS,
    evaluated: (outcome) => outcomes.push(outcome),
  });
});

afterEach(async () => {
  await rig.close();
});

const FAMILIES: readonly (readonly [string, () => Record<string, string>])[] = [
  ["Auckland", () => ({ "success.without.flag": "success", "retry.backoff.sec": "0" })],
  [
    "Aiven",
    () => ({
      "connector.class": "io.aiven.kafka.connect.http.HttpSinkConnector",
      "http.url": rig.sink.url,
      "http.authorization.type": "none",
      "retry.backoff.ms": "0",
    }),
  ],
];

describe.each(FAMILIES)("a filter of the %s family", (_, config) => {
  it("sends only the records that pass, and finishes all of them", async () => {
    rig.sink.answer(() => ({ status: 200 }));
    await rig.produce(['{"n":1}', '{"n":200}', "no JSON", '{"m":1}', null, '{"n":300}']);
    rig.run({ ...config(), filter: "data.n > 100" });
    await rig.sink.received(2);
    while ((await rig.committed()) !== 6n) await new Promise(setImmediate);

    expect(rig.sink.requests.map(({ body }) => body)).toStrictEqual(['{"n":200}', '{"n":300}']);
    expect(outcomes).toStrictEqual(["no_match", "match", "error", "error", "error", "match"]);
    expect(rig.drops).toStrictEqual([]);
  });

  it("is evaluated once for a record that is sent again", async () => {
    let failures = 1;
    rig.sink.answer(() => ({ status: failures-- > 0 ? 500 : 200 }));
    await rig.produce(['{"n":1}']);
    rig.run({ ...config(), "max.retries": "5", filter: "data.n == 1" });
    await rig.sink.received(2);

    expect(outcomes).toStrictEqual(["match"]);
  });

  it("that is wrong is refused with its value and the reason", () => {
    const parsed = parseConnectorConfig("crm", { topics: TOPIC, ...config(), filter: "amount > 1" });

    expect("faults" in parsed && parsed.faults.map(({ message }) => message)).toContain(
      "Invalid value amount > 1 for configuration filter: Unknown variable: amount (at character 1)",
    );
  });

  it("that is blank lets all records pass", async () => {
    rig.sink.answer(() => ({ status: 200 }));
    await rig.produce(["a"]);
    rig.run({ ...config(), filter: " " });
    await rig.sink.received(1);

    expect(outcomes).toStrictEqual([]);
  });
});

describe("a filter of a connector with batches", () => {
  it("decides before the batch is made", async () => {
    rig.sink.answer(() => ({ status: 200 }));
    await rig.produce(['{"n":1}', '{"n":2}', '{"n":3}']);
    const [, [, aiven]] = FAMILIES as [unknown, (typeof FAMILIES)[number]];
    rig.run({ ...aiven(), "batching.enabled": "true", "batch.linger.ms": "50", filter: "data.n != 2" });
    await rig.sink.received(1);

    expect(rig.sink.requests.map(({ body }) => body)).toStrictEqual(['{"n":1}\n{"n":3}\n']);
  });
});
