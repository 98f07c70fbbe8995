import type { ConsumedRecord } from "../../../src/broker/broker.ts";
import { parseConnectorConfig } from "../../../src/delivery/connectors/connector-config.ts";
import type { Endpoint, HttpResult } from "../../../src/delivery/engine/delivery-plan.ts";
import { NO_DECODING } from "../../../src/delivery/connectors/decoding.ts";
import { planOf } from "../../../src/delivery/connectors/plan.ts";

const sinkWith = (config: Record<string, string> = {}, name = "connA"): Endpoint => {
  const parsed = parseConnectorConfig(name, {
    topics: "t",
    "callback.request.url": "http://example.com:8080/a/b?c=d",
    "callback.request.method": "PUT",
    ...config,
  });
  if ("faults" in parsed) throw new Error(JSON.stringify(parsed.faults));
  return planOf(parsed.model, NO_DECODING).endpoint;
};

const record = (fields: Partial<ConsumedRecord> = {}): ConsumedRecord => ({
  topic: "t",
  partition: 0,
  offset: 5n,
  timestamp: 0,
  key: null,
  value: Buffer.from("value"),
  headers: [],
  ...fields,
});

const headersOf = (endpoint: Endpoint, of: ConsumedRecord, now = 0): Record<string, string> => {
  const { headers } = endpoint.render(of, now);
  return Object.fromEntries(
    headers.flatMap((name, index) => (index % 2 === 0 ? [[name, headers[index + 1] ?? ""]] : [])),
  );
};

const answer = (status: number, body = ""): HttpResult => ({
  status,
  retryAfter: undefined,
  body: Buffer.from(body),
});

describe("the request", () => {
  it("is sent to the configured URL with the record's bytes", () => {
    const value = Buffer.from([0, 255, 10]);

    expect(sinkWith().render(record({ value }), 0)).toMatchObject({
      origin: "http://example.com:8080",
      path: "/a/b?c=d",
      method: "PUT",
      body: value,
    });
  });

  it("has the trace id that the Auckland sink computes", () => {
    expect(headersOf(sinkWith(), record())).toStrictEqual({
      "X-Kafka-Topic": "t",
      "X-B3-TraceId": "cfeaba2a2eff1424",
      "X-B3-SpanId": "cfeaba2a2eff1424",
      "X-B3-Sampled": "Defer",
      "X-B3-Info": "topic=t|partition=0|offset=5",
    });
  });

  it.each([
    ["abc123", "abc123"],
    ["with space", "cfeaba2a2eff1424"],
    ["line\nbreak", "cfeaba2a2eff1424"],
    ["", "cfeaba2a2eff1424"],
  ])("has the record's own trace id %j if HTTP can carry it", (own, sent) => {
    const headers = [{ name: "x-b3-traceid", value: Buffer.from(own) }];

    expect(headersOf(sinkWith(), record({ headers }))["X-B3-TraceId"]).toBe(sent);
  });

  it("has the userinfo of the URL as Basic credentials", () => {
    const url = "http://us%C3%A9r:p%3A%40ss@example.com/";

    expect(headersOf(sinkWith({ "callback.request.url": url }), record())).toMatchObject({
      Authorization: `Basic ${Buffer.from("usér:p:@ss").toString("base64")}`,
    });
    expect(
      headersOf(
        sinkWith({ "callback.request.url": url, "callback.request.headers": "authorization:mine" }),
        record(),
      ),
    ).not.toHaveProperty("Authorization");
  });

  it("is signed by Standard Webhooks, with one id for all attempts", () => {
    const sink = sinkWith({ secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" });
    const first = headersOf(sink, record(), 1_614_265_330_999);
    const second = headersOf(sink, record(), 1_614_265_339_000);

    expect(first).toMatchObject({ "webhook-timestamp": "1614265330" });
    expect(second["webhook-id"]).toBe(first["webhook-id"]);
    expect(second["webhook-signature"]).not.toBe(first["webhook-signature"]);
  });
});

describe("an answer", () => {
  it.each<[string, HttpResult, string]>([
    ["200 done", answer(200, '{"retry":false}'), "done"],
    ["500 done", answer(500, '{"retry":"false"}'), "done"],
    ["503 done", answer(503, '{"retry":0}'), "done"],
    ["200 retry", answer(200, '{"retry":true}'), "retry"],
    ["503 retry", answer(503, '{"retry":"True"}'), "retry"],
    ["plain 200", answer(200, "OK"), "retry"],
    ["204", answer(204), "retry"],
    ["302", answer(302), "retry"],
    ["400", answer(400), "retry"],
    ["404", answer(404), "retry"],
    ["429", answer(429), "retry"],
    ["500", answer(500), "retry"],
    ...[401, 403, 405, 406, 502, 503, 504].map((status): [string, HttpResult, string] => [
      String(status),
      answer(status, "null"),
      "down",
    ]),
    ["no answer", { kind: "lost", error: "late" }, "retry"],
    ["no listener", { kind: "unreachable", error: "ECONNREFUSED" }, "down"],
  ])("%s", (_, result, expected) => {
    expect(sinkWith().classify(result, record())).toBe(expected);
  });

  it.each([
    [answer(200), "done"],
    [answer(204), "done"],
    [answer(299, "fine"), "done"],
    [answer(302), "retry"],
    [answer(200, '{"retry":true}'), "retry"],
    [answer(503), "down"],
  ])("%j with success.without.flag=success", (result, expected) => {
    expect(sinkWith({ "success.without.flag": "success" }).classify(result, record())).toBe(expected);
  });
});

describe("a tombstone", () => {
  it.each([
    [{}, "skip"],
    [{ tombstones: "send" }, "deliver"],
    [{ tombstones: "dead-letter", "dead.letter.topic": "dead" }, { deadLetter: "tombstone" }],
  ])("with %j", (config, admission) => {
    expect(sinkWith(config).admit(record({ value: null }))).toStrictEqual(admission);
    expect(sinkWith(config).admit(record())).toBe("deliver");
  });
});
