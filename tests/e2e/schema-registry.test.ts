/** Every way in frames events by the registry's schema, and stores nothing that the schema refuses; also in an outage. */
import { ADMIN_TOKEN, signIn, startGateway, type Gateway } from "../support/gateway.ts";
import { describeOnEachBroker, type StoredEvent } from "../support/each-broker.ts";
import { uniqueName } from "../support/kafka/describe.ts";
import { startRegistry, type TestRegistry } from "../support/registry/registry.ts";

const ORDER = JSON.stringify({
  ...{ type: "record", name: "Order", namespace: "shop" },
  fields: [
    { name: "id", type: "string" },
    { name: "amount", type: "double" },
    { name: "note", type: ["null", "string"], default: null },
  ],
});
const EVENT = '{"amount": 1.5, "id": "a1"}';
const BAD = '{"amount": "1.5", "id": "a1"}';

const PAGE = JSON.stringify({ type: "object", properties: { url: { type: "string" } } });
const TRADE =
  'syntax = "proto3"; package desk; message First { int32 n = 1; } message Trade { int64 id = 1; string name = 2; }';

const frame = (id: number, payload: string): Buffer => {
  const bytes = Buffer.concat([Buffer.alloc(5), Buffer.from(payload, "hex")]);
  bytes.writeUInt32BE(id, 1);
  return bytes;
};

/** Length 2 as zigzag, `a1`, 1.5 in little-endian, branch 0. */
const PAYLOAD = "04" + "6131" + "000000000000f83f" + "00";

interface Answer {
  readonly status: number;
  readonly text: string;
}

describeOnEachBroker("a registry station", (broker) => {
  const name = (station: string): string => `${prefix}-${station}`;
  const prefix = uniqueName("registry");
  let registry: TestRegistry;
  let gateway: Gateway;
  let token: string;
  let order: number;

  const station = (of: string, schema: object = {}, more: object = {}): object => ({
    ...{ name: name(of), partitions: 1, schema: { type: "registry", ...schema }, ...more },
  });
  const keysOf = (events: readonly StoredEvent[]): readonly (string | null)[] => events.map(({ key }) => key);
  /** The embedded log is read through the gateway, whose answer has no keys. */
  const keyOnKafka = (key: string): string | null => (broker.kind === "kafka" ? key : null);
  const settings = () => ({
    broker: broker.settings(),
    registry: { url: registry.url, timeout: "1s", negativeTtl: "50ms", cacheTtl: "10m" },
    stations: [
      station("orders", { format: "avro" }, { key: "/id" }),
      station("pages", { format: "json" }),
      station("trades", { format: "protobuf", message: "desk.Trade" }, { key: "/id" }),
      station("late"),
      { name: name("plain"), partitions: 1 },
    ],
    webhooks: [{ source: name("hook"), scheme: "none", station: name("orders") }],
  });

  beforeAll(async () => {
    registry = await startRegistry();
    order = registry.add(`${name("orders")}-value`, ORDER).id;
    registry.add(`${name("pages")}-value`, PAGE, { schemaType: "JSON" });
    registry.add(`${name("trades")}-value`, TRADE, { schemaType: "PROTOBUF" });
    gateway = await startGateway({ settings: settings() });
    token = await signIn(gateway);
  }, 60_000);

  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  const post = async (
    path: string,
    body: string | Buffer,
    headers: Record<string, string>,
  ): Promise<Answer> => {
    const answer = await fetch(gateway.url + path, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, ...headers },
      body,
    });
    return { status: answer.status, text: await answer.text() };
  };
  const json = { "content-type": "application/json" };
  const single = (of: string, body: string | Buffer, type = "application/json"): Promise<Answer> =>
    post(`/stations/${name(of)}/produce/single`, body, { "content-type": type });
  const v2 = (of: string, body: string, format: string): Promise<Answer> =>
    post(`/topics/${name(of)}`, body, { "content-type": `application/vnd.kafka.${format}.v2+json` });
  const v3 = (of: string, body: string): Promise<Answer> =>
    post(`/v3/clusters/any/topics/${name(of)}/records`, body, json);
  const testEvent = async (of: string, value: string): Promise<Answer> => {
    const answer = await fetch(`${gateway.adminUrl}/stations/${name(of)}/events`, {
      method: "POST",
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, ...json },
      body: JSON.stringify({ contentType: "application/json", value }),
    });
    return { status: answer.status, text: await answer.text() };
  };
  const attributes = '"specversion":"1.0","id":"1","source":"/shop","type":"order"';
  const cloudEvent = (data: string): string => `{${attributes},"data":${data}}`;
  const ce = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/shop", "ce-type": "order" };
  const base64 = (data: string): string => JSON.stringify(Buffer.from(data).toString("base64"));

  /** Each way in, with the status and the text of its answer to an event that the schema refuses. */
  const ways: Record<string, readonly [(event: string) => Promise<Answer>, number, string]> = {
    single: [(event) => single("orders", event), 400, '"success":false'],
    "single as text": [(event) => single("orders", event, "text/plain"), 400, '"success":false'],
    batch: [
      (event) => post(`/stations/${name("orders")}/produce/batch`, `[${event}]`, json),
      400,
      '"fail":1',
    ],
    NDJSON: [
      (event) =>
        post(`/stations/${name("orders")}/produce/stream`, event, { "content-type": "application/x-ndjson" }),
      200,
      '"status":"refused"',
    ],
    beacon: [
      (event) =>
        post(`/stations/${name("orders")}/produce/beacon`, `{"events":[{"id":"1","event":${event}}]}`, json),
      400,
      '"fail":1',
    ],
    webhook: [(event) => post(`/webhooks/${name("hook")}`, event, json), 400, '"code":"SCHEMA_REFUSED"'],
    "test event": [(event) => testEvent("orders", event), 400, '"code":"SCHEMA_REFUSED"'],
    "v2 JSON": [
      (event) => v2("orders", `{"records":[{"value":${event}}]}`, "json"),
      200,
      '"error_code":42206',
    ],
    "v2 binary": [
      (event) => v2("orders", `{"records":[{"value":${base64(event)}}]}`, "binary"),
      200,
      '"error_code":42206',
    ],
    "v2 Avro": [
      (event) => v2("orders", `{"value_schema_id":${order},"records":[{"value":${event}}]}`, "avro"),
      200,
      '"error_code":400',
    ],
    "v3 JSON": [
      (event) => v3("orders", `{"value":{"type":"JSON","data":${event}}}`),
      422,
      '"error_code":42206',
    ],
    "v3 data alone": [(event) => v3("orders", `{"value":{"data":${event}}}`), 422, '"error_code":42206'],
    "v3 with an id": [
      (event) => v3("orders", `{"value":{"schema_id":${order},"data":${event}}}`),
      400,
      '"error_code":400',
    ],
    "v3 BINARY": [
      (event) => v3("orders", `{"value":{"type":"BINARY","data":${base64(event)}}}`),
      422,
      '"error_code":42206',
    ],
    "binary CloudEvent": [
      (event) => post(`/stations/${name("orders")}/produce/single`, event, { ...json, ...ce }),
      400,
      '"success":false',
    ],
    "structured CloudEvent": [
      (event) => single("orders", cloudEvent(event), "application/cloudevents+json"),
      400,
      '"success":false',
    ],
    "batched CloudEvents": [
      (event) =>
        post(`/stations/${name("orders")}/produce/batch`, `[${cloudEvent(event)}]`, {
          "content-type": "application/cloudevents-batch+json",
        }),
      400,
      '"fail":1',
    ],
  };

  it("stores the same framed bytes from every way in, and nothing that its schema refuses", async () => {
    for (const [way, [send, status, part]] of Object.entries(ways)) {
      const refused = await send(BAD);
      expect([way, refused.status, refused.text]).toEqual([way, status, expect.stringContaining(part)]);
      expect(refused.text).toContain("avro: '/amount': expected double, but got string");
      const stored = await send(EVENT);
      expect([way, stored.status]).toEqual([way, way === "webhook" ? 202 : 200]);
      expect(stored.text).not.toMatch(/refused|"error_code":4/);
    }
    const events = await broker.readAll(gateway, name("orders"));
    expect(events).toHaveLength(Object.keys(ways).length);
    for (const { value } of events) expect(value).toEqual(frame(order, PAYLOAD));
    expect(keysOf(events)).toEqual(events.map(() => keyOnKafka("a1")));
    const types = events.map(({ headers }) => headers["content-type"] ?? "none").sort();
    expect(types.slice(0, 10)).toEqual(Array(10).fill("application/vnd.kafka.avro"));
    expect(types.slice(10)).toEqual(Array(7).fill("none"));
    expect(events.filter(({ headers }) => headers["ce_source"] === "/shop")).toHaveLength(3);
  }, 60_000);

  it("stores JSON with its own bytes, and Protobuf from JSON and from binary messages", async () => {
    expect((await single("pages", '{ "url" : "\\u0061", "n": 1.0 }')).status).toBe(200);
    expect((await single("pages", '{ "url" : 1 }')).text).toMatch(/jsonschema: /);
    expect((await single("trades", '{"id":"9007199254740993","name":"x"}')).status).toBe(200);
    const message = Buffer.from("08818080808080801012" + "0178", "hex");
    expect((await single("trades", message, "application/x-protobuf")).status).toBe(200);
    expect((await single("trades", Buffer.from("0a01", "hex"), "application/x-protobuf")).status).toBe(400);
    expect((await single("trades", '{"other":1}')).text).toMatch(/protobuf: '\/other'/);
    const [page, ...pages] = await broker.readAll(gateway, name("pages"));
    const id = page?.value.readUInt32BE(1) ?? 0;
    expect(page?.value).toEqual(frame(id, Buffer.from('{ "url" : "\\u0061", "n": 1.0 }').toString("hex")));
    expect(page?.headers["content-type"]).toBe("application/vnd.kafka.jsonschema");
    expect(pages).toEqual([]);
    const trades = await broker.readAll(gateway, name("trades"));
    const trade = trades[0]?.value.readUInt32BE(1) ?? 0;
    const written = frame(trade, "02" + "02" + message.toString("hex"));
    expect(trades.map(({ value }) => value)).toEqual([written, written]);
    expect(trades[0]?.headers["content-type"]).toBe("application/vnd.kafka.protobuf");
    expect(keysOf(trades)).toEqual(trades.map(() => keyOnKafka("9007199254740993")));
  }, 60_000);

  it("goes on with known schemas while the registry hangs, and never answers 4xx to unknown ones", async () => {
    expect((await single("orders", EVENT)).status).toBe(200);
    const other = registry.add(`${name("plain")}-value`, '"string"').id;
    await registry.become("frozen");
    const [known, unknown, unasked, none] = await Promise.all([
      single("orders", EVENT),
      v3("plain", `{"value":{"schema_id":${other},"data":"x"}}`),
      v2("plain", `{"value_schema":"\\"int\\"","records":[{"value":1}]}`, "avro"),
      single("late", EVENT),
    ]);
    expect(known.status).toBe(200);
    for (const answer of [unknown, unasked]) {
      expect(answer.status).toBe(503);
      expect(JSON.parse(answer.text)).toMatchObject({ error_code: 50303, retriable: true });
    }
    expect(none.status).toBe(503);
    await registry.become("up");
    const again = await v3("plain", `{"value":{"schema_id":${other},"data":"x"}}`);
    expect(JSON.parse(again.text)).toMatchObject({ error_code: 200, value: { schema_id: other, size: 7 } });
    const [record, ...more] = await broker.readAll(gateway, name("plain"));
    expect([record?.value, record?.headers, more]).toEqual([frame(other, "0278"), {}, []]);
  }, 60_000);

  it("answers 503 until its subject exists, with one warning", async () => {
    const answers = [await single("late", EVENT), await single("late", EVENT)];
    expect(answers.map(({ status }) => status)).toEqual([503, 503]);
    registry.add(`${name("late")}-value`, ORDER);
    let status = 0;
    while (status !== 200) {
      status = (await single("late", EVENT)).status;
      expect([200, 503]).toContain(status);
    }
    expect(gateway.output().match(/the station's schema can't be used/g)).toHaveLength(1);
    expect(await broker.readAll(gateway, name("late"))).toHaveLength(1);
  }, 60_000);

  it("starts while the registry is down, is ready, and stores events when it is back", async () => {
    await registry.become("refusing");
    await gateway.stop();
    gateway = await gateway.restart();
    token = await signIn(gateway);
    expect((await fetch(`${gateway.url}/readyz`)).status).toBe(200);
    const before = await broker.readAll(gateway, name("orders"));
    expect((await single("orders", EVENT)).status).toBe(503);
    expect((await single("orders", BAD)).status).toBe(503);
    await registry.become("up");
    expect((await single("orders", BAD)).status).toBe(400);
    expect((await single("orders", EVENT)).status).toBe(200);
    expect(await broker.readAll(gateway, name("orders"))).toHaveLength(before.length + 1);
  }, 60_000);
});
