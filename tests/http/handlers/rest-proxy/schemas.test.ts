import { registryStation } from "./registry-station.ts";
import { framed } from "../../../support/registry/fake-schemas.ts";
import { createFakeRegistry, type FakeRegistry } from "../../../support/fake-registry.ts";
import { BATCH, error, linesOf, RECORDS, serve, type ServedGateway, statusAndCode } from "./support.ts";

let registry: FakeRegistry;
let gateway: ServedGateway;

beforeEach(async () => {
  registry = createFakeRegistry();
  registry.add("plain-value", "AVRO", { id: 7, name: "Order" });
  registry.add("plain-key", "JSONSCHEMA", { id: 8 });
  registry.add("other", "AVRO", { id: 9 });
  gateway = await serve({ registry, stations: [await registryStation(registry)] });
});

afterEach(() => gateway.server.drain({ graceMs: 0 }));

const stored = async (topic = "plain") =>
  (await gateway.records(topic)).map(({ key, value, headers }) => ({
    key: key?.toString("latin1") ?? null,
    value: value?.toString("latin1") ?? null,
    headers,
  }));
const text = (id: number, payload: string): string => framed(id, payload).toString("latin1");
const AVRO_7 = { type: "AVRO", subject: "plain-value", schema_id: 7, schema_version: 1 };

describe("v3 records with a schema", () => {
  it("are framed, and the report names the schemas with the stored sizes", async () => {
    const answer = await gateway.post(RECORDS, {
      key: { data: "k" },
      value: { schema_id: 7, data: { a: 1 } },
    });
    expect(answer.body).toMatchObject({
      error_code: 200,
      key: { type: "JSONSCHEMA", subject: "plain-key", schema_id: 8, schema_version: 1, size: 9 },
      value: { ...AVRO_7, size: 13 },
    });
    expect(await stored()).toEqual([{ key: text(8, 'J"k"'), value: text(7, 'A{"a":1}'), headers: [] }]);
  });

  it.each([
    { data: {} },
    { type: "AVRO", data: {} },
    { type: "AVRO", schema_id: 7, data: {} },
    { schema_version: 1, data: {} },
    { type: "AVRO", schema: "Order", data: {} },
    { schema_id: 7, subject: "plain-value", data: {} },
    { subject_name_strategy: "TOPIC_NAME", data: {} },
    { schema_id: 7, schema: null, subject: null, type: null, data: {} },
  ])("name it by %j", async (value) => {
    const answer = await gateway.post(RECORDS, { value });
    expect(answer.body).toMatchObject({ error_code: 200, value: { ...AVRO_7, size: 8 } });
  });

  it("register a new text if the settings allow it", async () => {
    const value = { type: "PROTOBUF", schema: "register", subject: "new", data: {} };
    const answer = await gateway.post(RECORDS, { value });
    expect(answer.body).toMatchObject({ value: { type: "PROTOBUF", subject: "new", schema_version: 1 } });
  });

  it.each<[object, number, string]>([
    [
      { schema_id: 7, schema_version: 1 },
      400,
      "value has schema_id and schema_version; use at most one of schema_id, schema_version, schema",
    ],
    [
      { subject: "a", subject_name_strategy: "TOPIC_NAME" },
      400,
      "value has subject and subject_name_strategy; use at most one of subject, subject_name_strategy",
    ],
    [{ type: "XML" }, 400, "value.type must be BINARY, JSON, STRING, AVRO, JSONSCHEMA or PROTOBUF (got XML)"],
    [
      { type: "JSON", schema_id: 7 },
      400,
      "value.schema_id does not go with the type JSON; leave out one of them",
    ],
    [
      { type: "BINARY", subject: "a" },
      400,
      "value.subject does not go with the type BINARY; leave out one of them",
    ],
    [
      { subject_name_strategy: "X" },
      400,
      'value.subject_name_strategy must be TOPIC_NAME, RECORD_NAME, TOPIC_RECORD_NAME (got "X")',
    ],
    [
      { subject_name_strategy: "RECORD_NAME" },
      400,
      "value: the subject name strategy record-name needs schema_id or schema",
    ],
    [
      { subject_name_strategy: "RECORD_NAME", schema_version: 1 },
      400,
      "value: the subject name strategy record-name needs schema_id or schema",
    ],
    [{ schema_id: 0 }, 400, "value.schema_id must be an integer from 1 to 2147483647 (got 0)"],
    [{ schema_id: "7" }, 400, 'value.schema_id must be an integer from 1 to 2147483647 (got "7")'],
    [{ schema_id: 2 ** 31 }, 400, "value.schema_id must be an integer from 1 to 2147483647 (got 2147483648)"],
    [{ schema_version: 1.5 }, 400, "value.schema_version must be an integer from 1 to 2147483647 (got 1.5)"],
    [{ schema: {}, type: "AVRO" }, 400, "value.schema must be a string with the text of the schema"],
    [
      { schema: "Order" },
      400,
      "value.type must be AVRO, JSONSCHEMA, PROTOBUF beside value.schema (it is missing)",
    ],
    [{ subject: "" }, 400, "value.subject must be a non-empty string"],
    [{ schema_id: 7, type: "PROTOBUF" }, 400, "value.type must be AVRO, the type of schema 7 (got PROTOBUF)"],
    [{ schema_version: 5 }, 400, "no version 5 of plain-value"],
    [{ schema_id: 5 }, 42207, "plain-value has no id 5"],
    [{ schema_id: 9 }, 42207, "plain-value has no id 9"],
    [{ subject: "none" }, 42207, "none has no latest"],
    [{ schema_id: 7, data: { bad: 1 } }, 400, "avro: '/bad': not allowed"],
  ])("answer %j with %d: %s", async (value, code, message) => {
    const answer = await gateway.post(RECORDS, { value: { data: {}, ...value } });
    expect(answer.body).toEqual(error(code, message));
    expect(await stored()).toEqual([]);
  });

  it("are asked for once, each bad record has its own report, and the others are stored", async () => {
    const good = JSON.stringify({ value: { schema_id: 7, data: {} } });
    const bad = JSON.stringify({ value: { schema_id: 5, data: {} } });
    const plain = JSON.stringify({ value: { type: "JSON", data: 1 } });
    const answer = await gateway.post(RECORDS, [good, bad, plain, good, bad].join(""));
    expect(linesOf(answer.text).map((report) => report["error_code"])).toEqual([200, 42207, 200, 200, 42207]);
    expect((await stored()).map(({ value }) => value)).toEqual([text(7, "A{}"), "1", text(7, "A{}")]);
    expect(registry.asked).toHaveLength(2);
  });

  it("are reported in a batch", async () => {
    const entry = (id: string, data: object) => ({ id, value: { schema_id: 7, data } });
    const { body } = await gateway.post(BATCH, { entries: [entry("a", {}), entry("b", { bad: 1 })] });
    expect(body).toMatchObject({
      successes: [{ id: "a", value: { ...AVRO_7, size: 8 } }],
      failures: [{ id: "b", ...error(400, "avro: '/bad': not allowed") }],
    });
  });

  it("keep the order of their stream while the registry is asked", async () => {
    const open = registry.hold();
    const parts = [
      JSON.stringify({ value: { type: "JSON", data: 0 } }),
      JSON.stringify({ value: { schema_id: 7, data: {} } }),
      JSON.stringify({ value: { type: "JSON", data: 2 } }),
    ];
    const streaming = gateway.stream(RECORDS, parts);
    while (registry.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    open();
    expect((await streaming).reports.map((report) => report["error_code"])).toEqual([200, 200, 200]);
    expect((await stored()).map(({ value }) => value)).toEqual(["0", text(7, "A{}"), "2"]);
  });

  it("are tombstones without a frame", async () => {
    const values = [{ data: null }, { schema_id: 7, data: null }, { type: "AVRO", data: null }];
    const answers = await Promise.all(values.map((value) => gateway.post(RECORDS, { value })));
    expect(answers.map(({ body }) => (body as { value: unknown }).value)).toEqual([
      { type: "BINARY", size: 0 },
      { ...AVRO_7, size: 0 },
      { type: "AVRO", size: 0 },
    ]);
    expect((await stored()).map(({ value }) => value)).toEqual([null, null, null]);
  });

  it("get 50303 while the registry is unavailable, with Retry-After", async () => {
    registry.isDown = true;
    const answer = await gateway.post(RECORDS, { value: { schema_id: 7, data: {} } });
    expect(statusAndCode(answer)).toEqual([503, 50303]);
    expect(answer.body).toMatchObject({ retriable: true });
    expect(answer.headers.get("retry-after")).toBe("1");
  });
});

describe("v3 at a registry station", () => {
  const path = "/v3/clusters/any/topics/nope/records";

  it("frames JSON by the station's schema, and reports it", async () => {
    registry.add("shop.nope-value", "AVRO", { id: 20 });
    const { body } = await gateway.post(path, { value: { type: "JSON", data: { a: 1 } } });
    expect(body).toMatchObject({
      value: { type: "AVRO", subject: "shop.nope-value", schema_id: 20, schema_version: 1, size: 13 },
    });
    expect(await stored("shop.nope")).toMatchObject([{ value: text(20, 'A{"a":1}'), headers: [] }]);
  });

  it("answers 42206 for data that does not fit and for foreign frames, 42207 for foreign schemas, 50303 for its own fault", async () => {
    const send = async (value: object) => statusAndCode(await gateway.post(path, { value }));
    expect(await send({ type: "JSON", data: {} })).toEqual([503, 50303]);
    registry.add("shop.nope-value", "AVRO", { id: 20 });
    expect(await send({ type: "JSON", data: { bad: 1 } })).toEqual([422, 42206]);
    expect(await send({ data: { bad: 1 } })).toEqual([422, 42206]);
    expect(await send({ schema_id: 20, data: { bad: 1 } })).toEqual([400, 400]);
    expect(await send({ type: "BINARY", data: framed(7, "A{}").toString("base64") })).toEqual([422, 42206]);
    expect(await send({ type: "STRING", data: "\0" })).toEqual([422, 42206]);
    expect(await send({ schema_id: 7, data: {} })).toEqual([422, 42207]);
    expect(await send({ subject: "plain-value", data: {} })).toEqual([422, 42207]);
    expect(await send({ type: "BINARY", data: framed(20, "A{}").toString("base64") })).toEqual([200, 200]);
    expect((await stored("shop.nope")).map(({ value }) => value)).toEqual([text(20, "A{}")]);
  });
});

describe("v2 records with schemas", () => {
  const send = (body: object, format = "avro", topic = "plain") =>
    gateway.post(`/topics/${topic}`, body, { "content-type": `application/vnd.kafka.${format}.v2+json` });

  it("are framed, and the answer has the schema ids", async () => {
    const records = [{ value: { a: 1 } }, { value: null }, { value: { bad: 1 } }];
    const answer = await send({ value_schema_id: 7, records });
    expect(answer.body).toMatchObject({
      offsets: [{ offset: 0 }, { offset: 1 }, { error_code: 400, error: "avro: '/bad': not allowed" }],
      key_schema_id: null,
      value_schema_id: 7,
    });
    expect(await stored()).toEqual([
      { key: null, value: text(7, 'A{"a":1}'), headers: [] },
      { key: null, value: null, headers: [] },
    ]);
  });

  it("have keys with a schema of their own", async () => {
    registry.add("plain-value", "JSONSCHEMA", { id: 10, name: "Text" });
    const record = { key: "k", value: { a: 1.0 } };
    const answer = await send({ key_schema_id: 8, value_schema: "Text", records: [record] }, "jsonschema");
    expect(answer.body).toMatchObject({ key_schema_id: 8, value_schema_id: 10 });
    expect(await stored()).toMatchObject([{ key: text(8, 'J"k"'), value: text(10, 'J{"a":1}') }]);
  });

  it.each<[object, string, [number, number]]>([
    [{ value_schema: "Order", value_schema_id: 7, records: [{ value: {} }] }, "avro", [400, 400]],
    [{ key_schema: "Order", key_schema_id: 7, records: [{ value: {} }] }, "avro", [400, 400]],
    [{ records: [{ value: {} }] }, "avro", [422, 42202]],
    [{ value_schema_id: 7, records: [{ value: {} }, { key: 1, value: {} }] }, "avro", [422, 42201]],
    [{ value_schema_id: 5, records: [{ value: {} }] }, "avro", [422, 42207]],
    [{ value_schema: "New", records: [{ value: null }] }, "avro", [422, 42207]],
    [{ value_schema_id: 7, records: [{ value: {} }] }, "protobuf", [400, 400]],
    [{ value_schema_id: "7", records: [{ value: {} }] }, "avro", [400, 400]],
    [{ value_schema: 7, records: [{ value: {} }] }, "avro", [400, 400]],
  ])("refuse the whole call %j of %s with %j", async (body, format, expected) => {
    expect(statusAndCode(await send(body, format))).toEqual(expected);
    expect(await stored()).toEqual([]);
  });

  it("get 50303 while the registry is unavailable", async () => {
    registry.isDown = true;
    expect(statusAndCode(await send({ value_schema_id: 7, records: [{ value: {} }] }))).toEqual([503, 50303]);
  });

  it("must be of the subject of a registry station, whose schema also frames the other formats", async () => {
    registry.add("shop.nope-value", "AVRO", { id: 20 });
    const records = [{ value: {} }];
    expect(statusAndCode(await send({ value_schema_id: 7, records }, "avro", "nope"))).toEqual([422, 42207]);
    expect((await send({ value_schema_id: 20, records }, "avro", "nope")).status).toBe(200);
    expect((await send({ records }, "json", "nope")).body).toMatchObject({ offsets: [{ error_code: null }] });
    const bytes = [framed(20, "A{}"), framed(7, "A{}")].map((value) => ({ value: value.toString("base64") }));
    expect((await send({ records: bytes }, "binary", "nope")).body).toMatchObject({
      offsets: [{ error_code: null }, { error_code: 42206 }],
    });
    expect((await stored("shop.nope")).map(({ value }) => value)).toEqual(Array(3).fill(text(20, "A{}")));
  });
});
