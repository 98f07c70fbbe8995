import { gzipSync, brotliCompressSync, deflateSync } from "node:zlib";
import request, { type Test } from "supertest";
import { GatewayError } from "../../../../src/errors.ts";
import { brokenBroker, LIMIT } from "../../support.ts";
import { bytes, json, useStations } from "./support.ts";

const stations = useStations();
const { post } = stations;

const single = (station = "plain", token?: string): Test =>
  post(`/stations/${station}/produce/single`, token);
const batch = (station = "plain"): Test => post(`/stations/${station}/produce/batch`);

const values = async (topic = "plain"): Promise<(string | undefined)[]> =>
  (await stations.gateway.records(topic)).map(({ value }) => value?.toString());

const ALLOWED = "Only alphanumeric and the '_', '-', '.' characters are allowed in Station";
const ENDS = "Station name can not start or end with non alphanumeric character";
const SUCCESS = { error: null, success: true };

describe("produce/single", () => {
  it.each([
    ["application/json", '{"a":1}'],
    ["APPLICATION/JSON; charset=utf-8", "[1,2]"],
    ["text/plain", "hello"],
    ["application/x-text-thing", "any text"],
    ["application/x-protobuf", "\u0008\u0001"],
    ["application/protobuf", "\u0008\u0001"],
  ])("stores the bytes of %s unchanged", async (contentType, body) => {
    const answer = await single().set("Content-Type", contentType).send(body);
    expect([answer.status, answer.body]).toEqual([200, SUCCESS]);
    const [record] = await stations.gateway.records("plain");
    expect(record?.value?.toString()).toBe(body);
    expect(record?.headers[0]).toEqual({ name: "content-type", value: Buffer.from(contentType) });
  });

  it("stores record headers, but no credentials", async () => {
    await json(single().set("X-Trace", "1").set("X-Api-Key", "k").set("Cookie", "c=1"), "{}");
    const [record] = await stations.gateway.records("plain");
    const names = record?.headers.map(({ name }) => name);
    expect(names).toContain("x-trace");
    expect(names).not.toContain("x-api-key");
    expect(names).not.toContain("authorization");
    expect(names).not.toContain("cookie");
  });

  it.each(["application/octet-stream", "multipart/form-data", "image/png", undefined])(
    "refuses content type %s",
    async (contentType) => {
      const test = contentType === undefined ? single() : single().set("Content-Type", contentType);
      const answer = await bytes(test, Buffer.from("x"));
      expect([answer.status, answer.body]).toEqual([
        415,
        { error: "unsupported content type", success: false },
      ]);
    },
  );

  it.each([
    ["broken JSON", "{", "Invalid JSON"],
    ["invalid UTF-8", Buffer.from([0x22, 0xff, 0x22]), "Invalid JSON"],
  ])("refuses %s", async (_, body, error) => {
    const answer = await json(single(), body);
    expect([answer.status, answer.body]).toEqual([400, { error, success: false }]);
  });

  it.each(["application/json", "text/plain"])("refuses an empty %s body", async (contentType) => {
    const answer = await single().set("Content-Type", contentType);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ success: false });
  });

  it("refuses JSON that is nested too deep", async () => {
    const answer = await json(single(), "[".repeat(20_000) + "]".repeat(20_000));
    expect([answer.status, (answer.body as { success: boolean }).success]).toEqual([400, false]);
  });

  it.each([
    ["nowhere", 404, "Station nowhere does not exist"],
    ["a%2Fb", 400, ALLOWED],
    ["%E2%84%AA", 400, ALLOWED],
    ["a%zz", 400, ALLOWED],
    ["a%ff", 400, ALLOWED],
    ["a%00", 400, ALLOWED],
    ["a%20b", 400, ALLOWED],
    ["_plain", 400, ENDS],
    ["plain.", 400, ENDS],
    ["a".repeat(129), 400, "Station should be under 128 characters"],
    ["..%2f..%2fetc", 400, ALLOWED],
  ])("answers station %s with %i", async (station, status, error) => {
    const answer = await json(single(station), "{}");
    expect([answer.status, answer.body]).toEqual([status, { error, success: false }]);
  });

  it("accepts names and paths in any case, and a slash at the end", async () => {
    expect((await json(post("/STATIONS/PLAIN/Produce/SINGLE/"), "{}")).status).toBe(200);
    expect(await values()).toEqual(["{}"]);
  });

  it("answers 404 to an empty name, and 401 without a credential", async () => {
    expect((await json(post("/stations//produce/single"), "{}")).status).toBe(404);
    const anonymous = await request(stations.gateway.app).post("/stations//produce/single").send({});
    expect([anonymous.status, anonymous.body]).toEqual([401, { message: "Unauthorized" }]);
  });

  it("answers 403 to a caller without the right, whether or not the station exists", async () => {
    const app = await stations.gateway.token("app");
    for (const station of ["hidden", "nowhere"]) {
      const answer = await json(single(station, app), "{}");
      const error = `user app is not allowed to access station ${station}`;
      expect([answer.status, answer.body]).toEqual([403, { error, success: false }]);
    }
  });

  it("refuses headers that controlled the broker of the Memphis gateway", async () => {
    const answer = await json(single().set("$Memphis_producedBy", "x"), "{}");
    expect([answer.status, (answer.body as { success: boolean }).success]).toEqual([400, false]);
    expect(await values()).toEqual([]);
  });

  it("refuses a body over the limit", async () => {
    const answer = await single()
      .set("Content-Type", "text/plain")
      .send("x".repeat(LIMIT + 1));
    expect([answer.status, answer.body]).toEqual([
      413,
      { error: "Request Entity Too Large", success: false },
    ]);
    expect((await single().set("Content-Type", "text/plain").send("x".repeat(LIMIT))).status).toBe(200);
  });

  it.each([
    ["gzip", gzipSync],
    ["X-GZIP", gzipSync],
    ["deflate", deflateSync],
    ["br", brotliCompressSync],
    ["identity", (body: Buffer) => body],
  ])("decodes %s", async (encoding, encode) => {
    const body = encode(Buffer.from('{"a":1}'));
    const answer = await json(single().set("Content-Encoding", encoding), body);
    expect(answer.status).toBe(200);
    expect(await values()).toEqual(['{"a":1}']);
  });

  it.each([
    ["gzip", Buffer.from("no gzip"), 400],
    ["gzip", gzipSync("cut short".repeat(100)).subarray(0, 20), 400],
    ["gzip", gzipSync(Buffer.alloc(LIMIT + 1)), 413],
    ["zstd", Buffer.from("x"), 415],
    ["gzip, gzip", gzipSync(gzipSync("x")), 415],
    ["__proto__", Buffer.from("x"), 415],
  ])("refuses %s of %o with %i", async (encoding, body, status) => {
    const test = single().set("Content-Type", "text/plain").set("Content-Encoding", encoding);
    const answer = await bytes(test, body);
    expect([answer.status, (answer.body as { success: boolean }).success]).toEqual([status, false]);
    expect(await values()).toEqual([]);
  });

  it("answers the error of the schema for any content type", async () => {
    const answer = await single("orders").set("Content-Type", "text/plain").send("bad");
    const error = "Schema validation has failed: bad";
    expect([answer.status, answer.body]).toEqual([400, { error, success: false }]);
  });

  it("answers 404 if the topic of the station does not exist", async () => {
    const answer = await json(single("missing-topic"), "{}");
    const error = "Station missing-topic does not exist";
    expect([answer.status, answer.body]).toEqual([404, { error, success: false }]);
  });

  it("creates a station if autoCreateStations is on", async () => {
    await stations.start({ autoCreate: true });
    expect((await json(single("brand-new"), '{"n":1}')).status).toBe(200);
    expect(await values("brand-new")).toEqual(['{"n":1}']);
  });

  it("answers the result to a client that prefers it", async () => {
    const answer = await json(single().set("Prefer", "return=representation"), "{}");
    expect(answer.headers).toMatchObject({ "preference-applied": "return=representation" });
    expect(answer.body).toEqual({
      ...SUCCESS,
      sent: 1,
      fail: 0,
      results: [{ status: "stored", partition: 0, offset: "0", timestamp: expect.any(Number) as number }],
    });
  });

  it.each([
    ["plain", "{", "Invalid JSON", 400],
    ["nowhere", "{}", "Station nowhere does not exist", 404],
    ["orders", '"bad"', 'Schema validation has failed: "bad"', 400],
  ])("answers the refusal at %s to a client that prefers it", async (station, body, error, status) => {
    const answer = await json(
      single(station).set("Prefer", "respond-async, return=representation;x=1"),
      body,
    );
    expect(answer.status).toBe(status);
    expect(answer.body).toEqual({
      error,
      success: false,
      sent: 0,
      fail: 1,
      results: [{ status: "refused", error }],
    });
  });

  it("answers 503 with Retry-After while the broker is unavailable", async () => {
    await stations.start({
      broker: brokenBroker((_, records) =>
        Promise.resolve(
          records.map(() => ({ status: "failed", error: new GatewayError("BROKER_UNAVAILABLE") }) as const),
        ),
      ),
    });
    const plain = await json(single(), "{}");
    expect([plain.status, plain.body]).toEqual([503, { error: "Server error", success: false }]);
    expect(plain.headers["retry-after"]).toBe("1");
    const preferred = await json(single().set("Prefer", "return=representation"), "{}");
    expect(preferred.body).toEqual({
      error: "Server error",
      success: false,
      sent: 0,
      fail: 1,
      results: [{ status: "unknown", error: "Server error" }],
    });
  });
});

describe("produce/batch", () => {
  it("stores the source bytes of each element", async () => {
    const elements = ['{"n":12345678901234567890}', '{ "b" : 1, "a":2,"a":3}', '{"t":"\\u0041"}'];
    const answer = await json(batch(), ` [ ${elements.join(" , ")} ] `);
    expect([answer.status, answer.body]).toEqual([200, SUCCESS]);
    expect(await values()).toEqual(elements);
  });

  it("stores the valid events and answers the refusals in order", async () => {
    const answer = await json(batch("orders"), '[{"id":"bad1"},{"id":"ok"},{"id":"bad2"}]');
    expect(answer.status).toBe(400);
    expect(answer.body).toEqual({
      errors: ['Schema validation has failed: {"id":"bad1"}', 'Schema validation has failed: {"id":"bad2"}'],
      fail: 2,
      sent: 1,
      success: false,
    });
    expect(await values("shop.orders")).toEqual(['{"id":"ok"}']);
    expect((await stations.gateway.records("shop.orders"))[0]?.key?.toString()).toBe("ok");
  });

  it("answers 400 if all events are refused", async () => {
    const answer = await json(batch("orders"), '[{"id":"bad"}]');
    expect([answer.status, answer.body]).toEqual([
      400,
      { errors: ['Schema validation has failed: {"id":"bad"}'], fail: 1, sent: 0, success: false },
    ]);
  });

  it.each(["{}", "null", "[1]", "[null]", '["a"]', "[[]]", "[{}", "", "[{}]x", '[{"a":1},2]'])(
    "refuses %s as a whole",
    async (body) => {
      const answer = await json(batch(), body);
      expect([answer.status, answer.body]).toEqual([400, { error: "unsupported request", success: false }]);
      expect(await values()).toEqual([]);
    },
  );

  it("accepts an empty array", async () => {
    const plain = await json(batch(), "[]");
    expect([plain.status, plain.body]).toEqual([200, SUCCESS]);
    const preferred = await json(batch().set("Prefer", "return=representation"), "[]");
    expect(preferred.body).toEqual({ ...SUCCESS, sent: 0, fail: 0, results: [] });
  });

  it.each(["text/plain", "application/x-protobuf", ""])("refuses content type '%s'", async (contentType) => {
    const answer = await batch().set("Content-Type", contentType).send("[]");
    expect([answer.status, answer.body]).toEqual([
      415,
      { error: "unsupported content type", success: false },
    ]);
  });

  it("answers each result to a client that prefers it", async () => {
    const test = batch("orders").set("Prefer", 'return="representation"');
    const answer = await json(test, '[{"id":"a"},{"id":"bad"}]');
    const error = 'Schema validation has failed: {"id":"bad"}';
    expect(answer.body).toEqual({
      errors: [error],
      fail: 1,
      sent: 1,
      success: false,
      results: [
        { status: "stored", partition: 0, offset: "0", timestamp: expect.any(Number) as number },
        { status: "refused", error },
      ],
    });
  });

  it("answers 503 with the number of stored events if the broker fails for some events", async () => {
    const broker = brokenBroker((_, records) =>
      Promise.resolve(
        records.map((_record, n) =>
          n === 0
            ? ({ status: "stored", partition: 0, offset: 7n, timestamp: 1 } as const)
            : ({
                status: "failed",
                error: new GatewayError("BROKER_AMBIGUOUS", { retryAfter: 2.5 }),
              } as const),
        ),
      ),
    );
    await stations.start({ broker });
    const test = batch("orders").set("Prefer", "return=representation");
    const answer = await json(test, '[{"id":"bad"},{"id":"a"},{"id":"b"}]');
    expect([answer.status, answer.headers["retry-after"]]).toEqual([503, "3"]);
    expect(answer.body).toMatchObject({ fail: 2, sent: 1, success: false });
    const { results } = answer.body as { results: { status: string }[] };
    expect(results.map(({ status }) => status)).toEqual(["refused", "stored", "unknown"]);
  });

  it("answers 404 if the topic of the station does not exist", async () => {
    const answer = await json(batch("missing-topic"), "[{}]");
    expect([answer.status, answer.body]).toEqual([
      404,
      { error: "Station missing-topic does not exist", success: false },
    ]);
  });
});
