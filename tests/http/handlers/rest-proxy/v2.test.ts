import { GatewayError } from "../../../../src/errors.ts";
import { brokenBroker } from "../../support.ts";
import { error, serve, type ServedGateway, statusAndCode } from "./support.ts";

let gateway: ServedGateway;

beforeEach(async () => {
  gateway = await serve();
});

afterEach(() => gateway.server.drain({ graceMs: 0 }));

const JSON_TYPE = { "content-type": "application/vnd.kafka.json.v2+json" };
const TEXT_TYPE = { "content-type": "application/vnd.kafka.text.v2+json" };
const BINARY_TYPE = { "content-type": "application/vnd.kafka.binary.v2+json" };

const stored = async (topic = "plain"): Promise<unknown[]> =>
  (await gateway.records(topic)).map(({ key, value }) => [
    key?.toString() ?? null,
    value?.toString() ?? null,
  ]);

const storedAt = (offset: number): object => ({ partition: 0, offset, error_code: null, error: null });
const failed = (code: number): object => ({
  partition: null,
  offset: null,
  error_code: code,
  error: expect.any(String) as unknown,
});

describe("a v2 call", () => {
  it("stores the source bytes of JSON records", async () => {
    const answer = await gateway.post(
      "/topics/plain",
      '{"records": [ {"value": {"n": 1.50}}, {"key":"k","value":[ 1 ],"partition":0}, {"value":null,"key":{"a": 1}}, {"partition":null,"key":null,"value":"t"} ]}',
      JSON_TYPE,
    );
    expect([answer.status, answer.headers.get("content-type")]).toEqual([
      200,
      "application/vnd.kafka.v2+json",
    ]);
    expect(answer.text).toBe(
      '{"offsets":[{"partition":0,"offset":0,"error_code":null,"error":null},{"partition":0,"offset":1,"error_code":null,"error":null},' +
        '{"partition":0,"offset":2,"error_code":null,"error":null},{"partition":0,"offset":3,"error_code":null,"error":null}],' +
        '"key_schema_id":null,"value_schema_id":null}',
    );
    expect(await stored()).toEqual([
      [null, '{"n": 1.50}'],
      ['"k"', "[ 1 ]"],
      ['{"a": 1}', null],
      [null, '"t"'],
    ]);
  });

  it.each([
    ["JSON", { key: "k" }, JSON_TYPE],
    ["binary", { key: "aw==" }, BINARY_TYPE],
  ])("stores a record without a value as a tombstone: %s", async (_, record, type) => {
    expect((await gateway.post("/topics/plain", { records: [record] }, type)).status).toBe(200);
    const [stored] = await gateway.records("plain");
    expect([stored?.key === null, stored?.value]).toEqual([false, null]);
  });

  it("is refused if it has too many records, and at the first record of another shape", async () => {
    const many = await gateway.post("/topics/plain", `{"records":[${"{},".repeat(1000)}{}]}`, JSON_TYPE);
    expect([many.status, many.body]).toEqual([413, error(413, expect.stringContaining("1000"))]);
    const wrong = await gateway.post("/topics/plain", `{"records":[{},${"1,".repeat(20000)}1]}`, JSON_TYPE);
    expect([wrong.status, wrong.body]).toEqual([400, error(400, "records.1 must be an object")]);
  });

  it("stores binary records", async () => {
    const records = [{ key: "aw==", value: "AP8=" }, { value: "" }, { key: null, value: null }];
    const sent = { ...BINARY_TYPE, "x-trace": "t" };
    expect((await gateway.post("/topics/plain", { records }, sent)).status).toBe(200);
    const [first, second, third] = await gateway.records("plain");
    expect([first?.key, first?.value]).toEqual([Buffer.from("k"), Buffer.from([0, 255])]);
    expect([second?.key, second?.value]).toEqual([null, Buffer.alloc(0)]);
    expect([third?.key, third?.value]).toEqual([null, null]);
    expect([first, second, third].map((record) => record?.headers)).toEqual([[], [], []]);
  });

  it("refuses only the wrong records, each with its own code", async () => {
    const records = [
      { value: { id: 1 } },
      { value: "bad" },
      { value: 1, partition: 5 },
      { value: { id: 2 } },
    ];
    const answer = await gateway.post("/topics/orders", { records }, JSON_TYPE);
    expect([answer.status, answer.body]).toEqual([
      200,
      {
        offsets: [storedAt(0), failed(42206), failed(40402), storedAt(1)],
        key_schema_id: null,
        value_schema_id: null,
      },
    ]);
    const binary = await gateway.post(
      "/topics/plain",
      { records: [{ value: "?" }, { value: { a: 1 } }, { key: 5, value: "" }, { value: "eA==" }] },
      BINARY_TYPE,
    );
    expect(binary.body).toMatchObject({ offsets: [failed(400), failed(400), failed(400), storedAt(0)] });
  });

  it("stores the records in the partition of the path", async () => {
    const body = { records: [{ value: 1 }] };
    expect((await gateway.post("/topics/plain/partitions/0", body, JSON_TYPE)).body).toMatchObject({
      offsets: [storedAt(0)],
    });
    for (const partition of ["1", "99", "x", "-1"]) {
      const answer = await gateway.post(`/topics/plain/partitions/${partition}`, body, JSON_TYPE);
      expect([answer.status, answer.body]).toEqual([404, error(40402, "Partition not found")]);
    }
  });

  it.each([
    ["JSON that the schema refuses", "orders", { value: "bad" }, JSON_TYPE],
    ["a value that is not base64", "plain", { value: "?" }, BINARY_TYPE],
    ["a timestamp that is too early", "plain", { value: 1, timestamp: -1 }, JSON_TYPE],
  ])("answers 404 for an unknown partition in the path when every record has %s", async (...row) => {
    const [, topic, record, type] = row;
    const body = { records: [record, record] };
    const unknown = await gateway.post(`/topics/${topic}/partitions/7`, body, type);
    expect([unknown.status, unknown.body]).toEqual([404, error(40402, "Partition not found")]);
    const known = await gateway.post(`/topics/${topic}/partitions/0`, body, type);
    expect([known.status, known.body]).toMatchObject([
      200,
      { offsets: [{ offset: null }, { offset: null }] },
    ]);
  });

  const good = { value: 1 };

  it.each([
    ["no records", {}, 422],
    ["records that are null", { records: null }, 422],
    ["an empty list", { records: [] }, 422],
    ["an unknown field of a record", { records: [good, { value: 1, vlaue: 1 }] }, 422],
    ["an unknown field of the body", { records: [good], more: 1 }, 422],
    ["an unknown field of a header", { records: [{ headers: [{ key: "a", vlaue: "" }] }] }, 422],
    ["a number as records", { records: 5 }, 400],
    ["a number as record", { records: [good, 5] }, 400],
    ["a record that is null", { records: [good, null] }, 400],
    ["a string as partition", { records: [good, { value: 1, partition: "0" }] }, 400],
    ["a string as timestamp", { records: [good, { timestamp: "2024-01-01T00:00:00Z" }] }, 400],
    ["a timestamp with a fraction", { records: [good, { timestamp: 1.5 }] }, 400],
    ["an object as headers", { records: [good, { headers: { key: "a" } }] }, 400],
    ["a header without a key", { records: [good, { headers: [{ value: "" }] }] }, 400],
    ["a number as header value", { records: [good, { headers: [{ key: "a", value: 1 }] }] }, 400],
    ["an array as body", [], 400],
    ["a number as body", 5, 400],
    ["null as body", null, 400],
  ])("is refused as a whole for %s", async (_, body, status) => {
    const answer = await gateway.post("/topics/plain", body, JSON_TYPE);
    expect([answer.status, answer.body]).toEqual([status, error(status, expect.any(String))]);
    expect(await stored()).toEqual([]);
  });

  it("refuses only the record if its content is wrong", async () => {
    const wrong = [
      [{ value: 1, partition: -1 }, 40402],
      [{ value: 1, partition: 4_000_000_000 }, 40402],
      [{ value: 1, timestamp: -1 }, 400],
      [{ value: 1, timestamp: 9_000_000_000_000_000 }, 400],
      [{ value: 1, headers: [{ key: "a", value: "?" }] }, 400],
      [{ value: 1, headers: [{ key: "X-Webhook-Id", value: "" }] }, 400],
      [{ value: 1, headers: [{ key: "x-stationgate-once", value: "" }] }, 400],
      [{ value: 1, headers: Array.from({ length: 21 }, () => ({ key: "a" })) }, 400],
    ] as const;
    const records = wrong.flatMap(([record]) => [record, good]);
    const answer = await gateway.post("/topics/plain", { records }, JSON_TYPE);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      offsets: wrong.flatMap(([, code], i) => [failed(code), storedAt(i)]),
    });
    expect(answer.text).toContain("X-Webhook-Id");
    expect(answer.text).toContain("x-stationgate-once");
  });

  it("stores headers and timestamps as Strimzi's bridge does", async () => {
    const headers = [
      { key: "b", value: "MQ==" },
      { key: "a", value: null },
      { key: "b", value: "" },
      { key: "c" },
    ];
    const records = [
      { value: 1, timestamp: 0, headers },
      { value: 2, timestamp: 1_714_550_400_250 },
    ];
    expect((await gateway.post("/topics/plain", { records }, JSON_TYPE)).status).toBe(200);
    const [first, second] = await gateway.records("plain");
    expect([first?.timestamp, second?.timestamp]).toEqual([0, 1_714_550_400_250]);
    expect(first?.headers).toEqual([
      { name: "b", value: Buffer.from("1") },
      { name: "a", value: null },
      { name: "b", value: Buffer.alloc(0) },
      { name: "c", value: null },
    ]);
  });

  it("stores text records as Strimzi's bridge does", async () => {
    const records = [
      { key: "k\u00e9", value: "zw\u00f6lf" },
      { value: "" },
      { value: null },
      {},
      { value: 5 },
      { key: {}, value: "x" },
    ];
    const answer = await gateway.post("/topics/plain", { records }, TEXT_TYPE);
    expect(answer.body).toMatchObject({
      offsets: [storedAt(0), storedAt(1), storedAt(2), storedAt(3), failed(400), failed(400)],
    });
    expect(await stored()).toEqual([
      ["k\u00e9", "zw\u00f6lf"],
      [null, ""],
      [null, null],
      [null, null],
    ]);
  });

  it("ignores schema members, and refuses formats that need a schema registry", async () => {
    const records = [{ value: 1 }];
    const schemas = { value_schema_id: 1, key_schema: "{}", value_schema: {}, key_schema_id: "x" };
    expect((await gateway.post("/topics/plain", { records, ...schemas }, JSON_TYPE)).status).toBe(200);
    for (const format of ["avro", "jsonschema", "protobuf"]) {
      const type = { "content-type": `application/vnd.kafka.${format}.v2+json` };
      const { status, body } = await gateway.post("/topics/plain", { records }, type);
      expect([status, body]).toEqual([400, error(40002, expect.stringContaining("registry"))]);
    }
  });

  it("answers the other errors with their codes", async () => {
    const body = { records: [{ value: 1 }] };
    const answers = [
      await gateway.post("/topics/plain", "{", JSON_TYPE),
      await gateway.post("/topics/nope", body, JSON_TYPE),
      await gateway.post("/topics/hidden", body, JSON_TYPE),
      await gateway.post("/topics/plain", body, { "content-type": "application/json" }),
      await gateway.post("/topics/plain", body, { ...JSON_TYPE, "x-api-key": "wrong" }),
    ];
    expect(answers.map(statusAndCode)).toEqual([
      [400, 400],
      [404, 40403],
      [403, 40301],
      [415, 415],
      [401, 40101],
    ]);
  });

  it("reports for each record that the broker is unavailable", async () => {
    const away = { status: "failed", error: new GatewayError("BROKER_UNAVAILABLE") } as const;
    const other = await serve({ broker: brokenBroker((_, all) => Promise.resolve(all.map(() => away))) });
    const answer = await other.post("/topics/plain", { records: [{ value: 1 }] }, JSON_TYPE);
    expect([answer.status, answer.body]).toMatchObject([200, { offsets: [failed(50302)] }]);
    await other.server.drain({ graceMs: 0 });
  });
});
