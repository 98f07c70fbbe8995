import { GatewayError } from "../../../../src/errors.ts";
import { brokenBroker } from "../../support.ts";
import { error, serve, type ServedGateway } from "./support.ts";

let gateway: ServedGateway;

beforeEach(async () => {
  gateway = await serve();
});

afterEach(() => gateway.server.drain({ graceMs: 0 }));

const JSON_TYPE = { "content-type": "application/vnd.kafka.json.v2+json" };
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
  it("stores JSON records with their own bytes", async () => {
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
  ])("stores a record without value as a tombstone: %s", async (_, record, type) => {
    expect((await gateway.post("/topics/plain", { records: [record] }, type)).status).toBe(200);
    const [stored] = await gateway.records("plain");
    expect([stored?.key === null, stored?.value]).toEqual([false, null]);
  });

  it("is refused with more records than a call may have, and at the first of another shape", async () => {
    const many = await gateway.post("/topics/plain", `{"records":[${"{},".repeat(1000)}{}]}`, JSON_TYPE);
    expect([many.status, many.body]).toEqual([413, error(413, expect.stringContaining("1000"))]);
    const wrong = await gateway.post("/topics/plain", `{"records":[{},${"1,".repeat(20000)}1]}`, JSON_TYPE);
    expect([wrong.status, wrong.body]).toEqual([422, error(422, "records.1 must be an object")]);
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

  it("lets only the wrong records fail, each with its own code", async () => {
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

  it("goes to the path's partition", async () => {
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
    ["no records", {}],
    ["an empty list", { records: [] }],
    ["records that are none", { records: 5 }],
    ["a record that is none", { records: [{ value: 1 }, 5] }],
    ["an unknown field", { records: [{ value: 1, vlaue: 1 }] }],
    ["an unknown field of its own", { records: [{ value: 1 }], more: 1 }],
    ["a partition that is no number", { records: [{ value: 1, partition: "0" }] }],
    ["a partition below zero", { records: [{ value: 1, partition: -1 }] }],
    ["a list", []],
  ])("is refused whole with %s: 422", async (_, body) => {
    const answer = await gateway.post("/topics/plain", body, JSON_TYPE);
    expect([answer.status, answer.body]).toEqual([422, error(422, expect.any(String))]);
    expect(await stored()).toEqual([]);
  });

  it("needs a schema registry for a schema, an id or one of its formats", async () => {
    const records = [{ value: 1 }];
    const asked = [
      await gateway.post("/topics/plain", { records, value_schema_id: 1 }, JSON_TYPE),
      await gateway.post("/topics/plain", { records, key_schema: "{}" }, JSON_TYPE),
      await gateway.post(
        "/topics/plain",
        { records },
        { "content-type": "application/vnd.kafka.avro.v2+json" },
      ),
    ];
    for (const { status, body } of asked)
      expect([status, body]).toEqual([400, error(40002, expect.stringContaining("registry"))]);
    const none = await gateway.post("/topics/plain", { records, value_schema_id: null }, JSON_TYPE);
    expect(none.status).toBe(200);
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
    expect(
      answers.map(({ status, body: told }) => [status, (told as { error_code: number }).error_code]),
    ).toEqual([
      [400, 400],
      [404, 40403],
      [403, 40301],
      [415, 415],
      [401, 40101],
    ]);
  });

  it("says of each record that the broker is away", async () => {
    const away = { status: "failed", error: new GatewayError("BROKER_UNAVAILABLE") } as const;
    const other = await serve({ broker: brokenBroker((_, all) => Promise.resolve(all.map(() => away))) });
    const answer = await other.post("/topics/plain", { records: [{ value: 1 }] }, JSON_TYPE);
    expect([answer.status, answer.body]).toMatchObject([200, { offsets: [failed(50302)] }]);
    await other.server.drain({ graceMs: 0 });
  });
});
