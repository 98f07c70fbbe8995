import type { BrokerRecord } from "../../../../src/broker/broker.ts";
import { GatewayError, type ErrorCode } from "../../../../src/errors.ts";
import { brokenBroker, LIMIT } from "../../support.ts";
import { error, json, linesOf, RECORDS, serve, type ServedGateway, statusAndCode } from "./support.ts";

let gateway: ServedGateway;

beforeEach(async () => {
  gateway = await serve();
});

afterEach(() => gateway.server.drain({ graceMs: 0 }));

const records = (topic = "plain"): Promise<readonly BrokerRecord[]> => gateway.records(topic);

const toTopic = (topic: string): string => RECORDS.replace("plain", topic);

const base64 = (text: string): string => Buffer.from(text).toString("base64");

describe("a v3 record", () => {
  it("is stored and reported with all its members", async () => {
    const record = {
      partition_id: 0,
      headers: [
        { name: "b", value: base64("1") },
        { name: "a", value: base64("2") },
        { name: "b", value: base64("3") },
        { name: "none", value: null },
      ],
      key: { type: "STRING", data: "kéy" },
      value: { type: "JSON", data: { n: 1 } },
      timestamp: "2024-05-01T10:00:00.250+02:00",
    };
    const answer = await gateway.post(RECORDS, record);
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/json"]);
    expect(answer.text).toBe(
      '{"error_code":200,"cluster_id":"any","topic_name":"plain","partition_id":0,"offset":0,' +
        '"timestamp":"2024-05-01T08:00:00.250Z","key":{"type":"STRING","size":4},"value":{"type":"JSON","size":7}}',
    );
    const [stored] = await records();
    expect(stored).toMatchObject({
      key: Buffer.from("kéy"),
      value: Buffer.from('{"n":1}'),
      timestamp: Date.parse("2024-05-01T08:00:00.250Z"),
    });
    expect(stored?.headers.map(({ name, value }) => `${name}=${String(value)}`)).toEqual([
      "b=1",
      "a=2",
      "b=3",
      "none=null",
    ]);
  });

  it.each([
    ["BINARY", base64("\0ÿ"), "\0ÿ"],
    [undefined, base64("x"), "x"],
    ["STRING", "text ☃", "text ☃"],
    ["JSON", { a: [1] }, '{"a":[1]}'],
    ["JSON", "text", '"text"'],
    ["JSON", false, "false"],
    ["JSON", {}, "{}"],
    ["STRING", "", ""],
  ])("has a value of type %s: %j", async (type, data, stored) => {
    const answer = await gateway.post(RECORDS, { key: { type, data }, value: { type, data } });
    const part = { type: type ?? "BINARY", size: Buffer.byteLength(stored) };
    expect(answer.body).toMatchObject({ error_code: 200, key: part, value: part });
    const [record] = await records();
    expect([record?.key?.toString(), record?.value?.toString()]).toEqual([stored, stored]);
  });

  it("is stored with the source bytes of its JSON: big numbers, escapes, duplicate members", async () => {
    const data = '{ "n" : 123456789012345678901234567890, "a":1, "a":2, "e":"\\u0041" }';
    const key = "1.50e3";
    const body = `{"value":{"data":{"lost":1},"type":"JSON"},"value":{"type":"JSON","data":${data}},"key":{"data":${key},"type":"JSON"}}`;
    await gateway.post(RECORDS, body);
    const [record] = await records();
    expect(record?.value?.toString()).toBe(data);
    expect(record?.key?.toString()).toBe(key);
  });

  it.each([
    ["no value", {}],
    ["a null value", { value: null }],
    ["null data", { value: { type: "JSON", data: null } }],
    ["null binary data", { value: { data: null } }],
  ])("is a tombstone with %s", async (_, value) => {
    const answer = await gateway.post(RECORDS, { key: { type: "STRING", data: "k" }, ...value });
    expect(answer.status).toBe(200);
    expect(await records()).toMatchObject([{ key: Buffer.from("k"), value: null, headers: [] }]);
  });

  it("has null for a header without a value, and may have base64 without padding", async () => {
    const headers = [
      { name: "a" },
      { name: "b", value: null },
      { name: "c", value: "" },
      { name: "d", value: "MQ" },
    ];
    const answer = await gateway.post(RECORDS, { headers });
    expect(answer.status).toBe(200);
    const [record] = await records();
    expect(record?.headers).toEqual([
      { name: "a", value: null },
      { name: "b", value: null },
      { name: "c", value: Buffer.alloc(0) },
      { name: "d", value: Buffer.from("1") },
    ]);
  });

  it("has no key and no value in the report if both are absent", async () => {
    const { body } = await gateway.post(RECORDS, {});
    expect(Object.keys(body as object)).toEqual([
      "error_code",
      "cluster_id",
      "topic_name",
      "partition_id",
      "offset",
      "timestamp",
    ]);
  });

  it("gets the cluster of the path in its report, and may name a station by the exact topic", async () => {
    const answer = await gateway.post(
      "/v3/clusters/l%C3%A9-1%22/topics/shop.orders/records",
      json({ id: "7" }),
    );
    expect(answer.body).toMatchObject({ cluster_id: 'lé-1"', topic_name: "shop.orders", error_code: 200 });
    expect((await gateway.post(toTopic("Orders"), json({}))).body).toMatchObject({ error_code: 40403 });
    // The record has no key, so the `key` setting of the station applies.
    expect(await records("shop.orders")).toMatchObject([{ key: Buffer.from("7") }]);
  });

  it("is stored with its own headers only", async () => {
    const headers = [
      { name: "Z", value: "/wA=" },
      { name: "content-type", value: base64("text/x") },
      { name: "1", value: null },
      { name: "Z", value: "" },
      { name: "é", value: base64("é") },
    ];
    await gateway.post(
      RECORDS,
      { ...json(1), headers },
      { "x-trace": "t", traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01`, "ce-id": "1" },
    );
    const [record] = await records();
    expect(record?.headers).toEqual([
      { name: "Z", value: Buffer.from([255, 0]) },
      { name: "content-type", value: Buffer.from("text/x") },
      { name: "1", value: null },
      { name: "Z", value: Buffer.alloc(0) },
      { name: "é", value: Buffer.from("é") },
    ]);
    await gateway.post(RECORDS, json(1), { "x-trace": "t" });
    expect((await records())[1]?.headers).toEqual([]);
  });
});

describe("a v3 record is refused", () => {
  it.each([
    ["an unknown field", { vlaue: {} }, "Unrecognized field: vlaue"],
    ["an unknown field in the value", { value: { tpye: "JSON" } }, "Unrecognized field: value.tpye"],
    ["an unknown type", { value: { type: "XML", data: "" } }, expect.stringContaining("XML")],
    ["bad base64", { value: { data: "?" } }, "value.data must be base64"],
    ["an object instead of base64", { value: { data: { a: 1 } } }, "value.data must be base64"],
    ["a number as STRING", { key: { type: "STRING", data: 5 } }, "key.data must be a string"],
    ["a string as partition", { partition_id: "1" }, 'partition_id must be a number (got "1")'],
    ["a partition with a fraction", { partition_id: 0.5 }, "partition_id must be an integer (got 0.5)"],
    [
      "a partition that is not a safe integer",
      { partition_id: 1e300 },
      expect.stringMatching(/^partition_id must be \d+ or less/),
    ],
    ["a value without data", { value: { type: "JSON" } }, expect.stringContaining("value.data")],
    ["an empty object as value", { value: {} }, expect.stringContaining("value.data")],
    ["a key without data", { key: { type: "STRING" } }, expect.stringContaining("key.data")],
    ["a header without a name", { headers: [{ value: "" }] }, expect.stringContaining("headers.0.name")],
    [
      "a header with bad base64",
      { headers: [{ name: "a", value: "?" }] },
      expect.stringContaining("headers.0.value"),
    ],
    [
      "a header that only the gateway writes",
      { headers: [{ name: "a" }, { name: "X-Webhook-Id", value: "MQ==" }] },
      expect.stringContaining("X-Webhook-Id"),
    ],
    [
      "a header that the gateway uses itself",
      { headers: [{ name: "x-stationgate-once" }] },
      expect.stringContaining("x-stationgate-once"),
    ],
    ["a text as timestamp", { timestamp: "yesterday" }, expect.stringMatching(/^timestamp must be a time/)],
    ["a number as value", { value: 5 }, "value must be an object (got 5)"],
    ["an array as record", [1], "The record must be an object (got an array)"],
  ])("with 400 for %s", async (_, record, message) => {
    const answer = await gateway.post(RECORDS, record);
    expect([answer.status, answer.body]).toEqual([400, error(400, message)]);
    expect(await records()).toEqual([]);
  });

  it.each([
    { value: { type: "AVRO", data: 1 } },
    { key: { type: "JSONSCHEMA", data: 1 } },
    { value: { type: "PROTOBUF", data: 1 } },
    { value: { schema_id: 1, data: 1 } },
    { value: { subject: "s", schema_version: 1, data: 1 } },
    { key: { type: "JSON", schema: "{}", data: 1 } },
  ])("if it needs a schema registry: %j", async (record) => {
    const answer = await gateway.post(RECORDS, record);
    expect([answer.status, answer.body]).toEqual([400, error(40002, expect.stringContaining("registry"))]);
  });

  it.each([
    ["{", 400, 400],
    ["", 400, 400],
    ["[]", 400, 400],
    ["5", 400, 400],
    ['{"a":1]}', 400, 400],
    [`{"value":{"type":"JSON","data":${"[".repeat(70)}${"]".repeat(70)}}}`, 400, 400],
  ])("if the body is %j", async (body, status, code) => {
    const answer = await gateway.post(RECORDS, body);
    expect(statusAndCode(answer)).toEqual([status, code]);
  });

  it("if it is not UTF-8", async () => {
    const body = Buffer.concat([
      Buffer.from('{"value":{"type":"STRING","data":"'),
      Buffer.from([0xff]),
      Buffer.from('"}}'),
    ]);
    const answer = await fetch(gateway.url + RECORDS, {
      method: "POST",
      body,
      headers: { "x-api-key": "partner-key-0123456789", "content-type": "application/json" },
    });
    expect(answer.status).toBe(400);
  });

  it("with the status of the error code", async () => {
    const refusals = [
      [toTopic("orders"), json("bad"), 422, 42206],
      [toTopic("hidden"), json(1), 403, 40301],
      [toTopic("nope"), json(1), 404, 40403],
      [toTopic("missing-topic"), json(1), 404, 40403],
      [RECORDS, { ...json(1), partition_id: 9 }, 404, 40402],
      [RECORDS, { ...json(1), partition_id: -1 }, 404, 40402],
      [RECORDS, { ...json(1), partition_id: 4_000_000_000 }, 404, 40402],
      [RECORDS, { value: { type: "STRING", data: "x".repeat(LIMIT) } }, 413, 413],
      [RECORDS, { value: { type: "BINARY", data: "A".repeat(LIMIT) } }, 413, 413],
      [RECORDS, { key: { type: "STRING", data: "k".repeat(1025) } }, 413, 413],
      [RECORDS, { headers: Array.from({ length: 21 }, () => ({ name: "a" })) }, 400, 400],
      [RECORDS, { headers: [{ name: "a", value: "A".repeat(5600) }] }, 413, 413],
    ] as const;
    for (const [path, record, status, code] of refusals) {
      const answer = await gateway.post(path, record);
      expect([answer.status, answer.body]).toEqual([status, error(code, expect.any(String))]);
    }
  });

  it.each(["a%20b", "%C3%A9", "x".repeat(250), "a%2Fb"])(
    "if no topic can have the name in the path: %s",
    async (topic) => {
      const answers = [
        await gateway.post(toTopic(topic), json(1)),
        await gateway.post(`${toTopic(topic)}:batch`, { entries: [{ id: "a", ...json(1) }] }),
      ];
      for (const { status, body } of answers)
        expect([status, body]).toEqual([400, error(40002, expect.stringContaining("topic name"))]);
    },
  );

  it("with another content type, or without a content type", async () => {
    for (const type of ["text/plain", "application/vnd.kafka.json.v2+json", ""]) {
      const answer = await gateway.post(RECORDS, json(1), { "content-type": type });
      expect([answer.status, answer.body]).toEqual([415, error(415, "unsupported content type")]);
    }
    const withCharset = await gateway.post(RECORDS, json(1), {
      "content-type": "Application/JSON; charset=utf-8",
    });
    expect(withCharset.status).toBe(200);
  });
});

describe("failures of the broker", () => {
  it.each([
    ["BROKER_UNAVAILABLE", 50302, { retriable: true }],
    ["OVERLOADED", 50302, { retriable: true }],
    ["BROKER_AMBIGUOUS", 50003, { retriable: true, ambiguous: true }],
  ] as const)("have different codes: %s", async (code: ErrorCode, restProxy, more) => {
    const failed = { status: "failed", error: new GatewayError(code) } as const;
    const other = await serve({ broker: brokenBroker((_, all) => Promise.resolve(all.map(() => failed))) });
    const answer = await other.post(RECORDS, json(1));
    expect([answer.status, answer.body]).toEqual([503, error(restProxy, expect.any(String), more)]);
    expect(answer.headers.get("retry-after")).toBe("1");
    await other.server.drain({ graceMs: 0 });
  });
});

describe("several records in one body", () => {
  it.each(["", "\n", "  \r\n\t"])("get one report each, with %j between them", async (separator) => {
    const body = [json(1), { vlaue: 1 }, json(2)].map((one) => JSON.stringify(one)).join(separator);
    const answer = await gateway.post(RECORDS, body);
    expect(answer.status).toBe(200);
    expect(linesOf(answer.text)).toMatchObject([{ offset: 0 }, { error_code: 400 }, { offset: 1 }]);
  });

  it("get one report each if some records are wrong", async () => {
    const wrong = [
      {
        value: { type: "STRING", data: "x" },
        headers: [{ name: "x-webhook-id" }],
      },
      [1],
      null,
      { ...json(1), timestamp: "1969-12-31T23:59:59Z" },
      { headers: Array.from({ length: 1000 }, () => 1) },
    ];
    const body = [json(0), ...wrong, json(2)].map((one) => JSON.stringify(one)).join("");
    const answer = await gateway.post(RECORDS, body);
    expect(answer.status).toBe(200);
    const reports = linesOf(answer.text);
    expect(reports.map((report) => report["error_code"])).toEqual([200, 400, 400, 400, 400, 400, 200]);
    expect(reports[4]?.["message"]).toContain("timestamp");
    expect(await records()).toHaveLength(2);
  });

  it("get correct reports after a record that is too large", async () => {
    const other = await serve({ bodyLimits: { maxBytes: 4 * LIMIT, timeoutMs: 5000 } });
    const large = { value: { type: "STRING", data: "x".repeat(LIMIT + 1) } };
    const body = [json(1), large, json(2), json(3)].map((one) => JSON.stringify(one)).join("\n");
    const answer = await other.post(RECORDS, body);
    expect(linesOf(answer.text).map((report) => report["error_code"])).toEqual([200, 413, 200, 200]);
    expect(await other.records("plain")).toHaveLength(3);
    await other.server.drain({ graceMs: 0 });
  });

  it("are all refused if a call has too many", async () => {
    const answer = await gateway.post(RECORDS, "{}".repeat(1001));
    expect([answer.status, answer.body]).toEqual([413, error(413, expect.stringContaining("1000"))]);
    expect(await records()).toHaveLength(0);
  });

  it("end at broken JSON", async () => {
    const answer = await gateway.post(RECORDS, `${JSON.stringify(json(1))}{"a"}${JSON.stringify(json(2))}`);
    expect(answer.status).toBe(200);
    expect(linesOf(answer.text)).toMatchObject([{ offset: 0 }, { error_code: 400, retriable: false }]);
    expect(await records()).toHaveLength(1);
  });

  it("get one report each if the topic does not exist", async () => {
    const answer = await gateway.post(toTopic("nope"), '{"value":null}{"value":null}');
    expect(answer.status).toBe(200);
    expect(linesOf(answer.text)).toMatchObject([{ error_code: 40403 }, { error_code: 40403 }]);
  });
});

describe("http_status=always200", () => {
  const failing = [toTopic("orders"), toTopic("nope"), toTopic("hidden")];

  it("answers 200 with the error in the body", async () => {
    for (const path of failing) {
      const answer = await gateway.post(`${path}?http_status=always200`, json("bad"));
      expect(answer.status).toBe(200);
      expect((answer.body as { error_code: number }).error_code).toBeGreaterThan(40_000);
    }
    expect((await gateway.post(`${RECORDS}?http_status=always200`, "{")).status).toBe(200);
  });

  it("can be the default by a setting", async () => {
    const other = await serve({ alwaysStatus200: true });
    const answer = await other.post(toTopic("orders"), json("bad"));
    expect([answer.status, answer.body]).toEqual([200, error(42206, expect.stringContaining("Schema"))]);
    expect((await other.post(RECORDS, json(1), { "x-api-key": "wrong" })).status).toBe(401);
    await other.server.drain({ graceMs: 0 });
  });
});

describe("a structured CloudEvent in v3", () => {
  const contentType = { name: "content-type", value: base64("application/cloudevents+json") };

  it("is stored with its own bytes and headers", async () => {
    const data = { specversion: "1.0", id: "1", source: "/s", type: "t", data: { a: 1 } };
    const answer = await gateway.post(RECORDS, { headers: [contentType], ...json(data) });
    expect(answer.status).toBe(200);
    const [record] = await records();
    expect(record?.value?.toString()).toBe(JSON.stringify(data));
    expect(record?.headers).toEqual([
      { name: "content-type", value: Buffer.from("application/cloudevents+json") },
    ]);
  });

  it("is refused with the name of the missing attribute", async () => {
    const data = { specversion: "1.0", id: "1", source: "/s" };
    const answer = await gateway.post(RECORDS, { headers: [contentType], ...json(data) });
    expect([answer.status, answer.body]).toEqual([400, error(400, expect.stringContaining('"type"'))]);
    const none = await gateway.post(RECORDS, { headers: [contentType] });
    expect(none.status).toBe(400);
  });
});
