/** How each kind of answer tells the outcome of events with an id. */
import { GatewayError } from "../../src/errors.ts";
import type { EventOutcome, Produce } from "../../src/ingest/produce.ts";
import { BATCH, json, RECORDS, serve, type ServedGateway } from "./handlers/rest-proxy/support.ts";

const DUPLICATE: EventOutcome = { status: "stored", partition: 3, offset: 7n, timestamp: 0, duplicate: true };
const UNRESOLVED: EventOutcome = { status: "failed", error: new GatewayError("ID_UNRESOLVED") };
const TEXT = "It is not known yet whether an earlier request with this id stored the event";

let gateway: ServedGateway;
let outcome: EventOutcome;

beforeEach(async () => {
  const produce: Produce = ({ events }) => Promise.resolve(events.map(() => outcome));
  gateway = await serve({ produce });
});

afterEach(() => gateway.server.drain({ graceMs: 0 }));

const SINGLE = "/stations/plain/produce/single";
const LIST = "/stations/plain/produce/batch";
const NDJSON = "/stations/plain/produce/stream";
const PREFER = { prefer: "return=representation" };
const V2 = { "content-type": "application/vnd.kafka.json.v2+json" };

describe("an event that was stored before", () => {
  beforeEach(() => {
    outcome = DUPLICATE;
  });

  it("is a plain success of single and batch", async () => {
    for (const [path, body] of [
      [SINGLE, {}],
      [LIST, [{}, {}]],
    ] as const) {
      const answer = await gateway.post(path, body);
      expect([answer.status, answer.body]).toEqual([200, { error: null, success: true }]);
    }
  });

  it("is a duplicate in results, with the place of the first event", async () => {
    const result = { status: "duplicate", partition: 3, offset: "7" };
    const single = await gateway.post(SINGLE, {}, PREFER);
    expect(single.body).toEqual({ error: null, success: true, sent: 1, fail: 0, results: [result] });
    const batch = await gateway.post(LIST, [{}, {}], PREFER);
    expect(batch.body).toMatchObject({ success: true, sent: 2, results: [result, result] });
  });

  it("is a duplicate in a line of NDJSON", async () => {
    const { reports } = await gateway.stream(NDJSON, ["{}\n"], { "content-type": "application/x-ndjson" });
    expect(reports).toEqual([{ line: 1, status: "duplicate", partition: 3, offset: "7" }]);
  });

  it("is a plain success of v3 and v2", async () => {
    const place = { error_code: 200, cluster_id: "any", topic_name: "plain", partition_id: 3, offset: 7 };
    const record = await gateway.post(RECORDS, json(1));
    expect([record.status, record.body]).toEqual([200, { ...place, value: { type: "JSON", size: 1 } }]);
    const batch = await gateway.post(BATCH, { entries: [{ id: "a" }] });
    expect([batch.status, batch.body]).toEqual([207, { successes: [{ id: "a", ...place }], failures: [] }]);
    const v2 = await gateway.post("/topics/plain", { records: [{ value: 1 }] }, V2);
    expect(v2.body).toMatchObject({ offsets: [{ partition: 3, offset: 7, error_code: null, error: null }] });
  });
});

describe("an event whose id is not resolved", () => {
  beforeEach(() => {
    outcome = UNRESOLVED;
  });

  it("is 409 with Retry-After for a single event", async () => {
    const single = await gateway.post(SINGLE, {});
    expect([single.status, single.headers.get("retry-after")]).toEqual([409, "1"]);
    expect(single.body).toEqual({ error: TEXT, success: false });
    const record = await gateway.post(RECORDS, json(1));
    expect([record.status, record.headers.get("retry-after")]).toEqual([409, "1"]);
    expect(record.body).toMatchObject({ error_code: 40903, retriable: true, ambiguous: true });
  });

  it("is 503 for a batch, and unavailable in its results", async () => {
    const plain = await gateway.post(LIST, [{}]);
    expect([plain.status, plain.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(plain.body).toEqual({ errors: [TEXT], fail: 1, sent: 0, success: false });
    const told = await gateway.post(LIST, [{}], PREFER);
    expect([told.status, told.body]).toMatchObject([
      503,
      { results: [{ status: "unavailable", error: TEXT }] },
    ]);
  });

  it("is unavailable in a line of NDJSON", async () => {
    const { reports } = await gateway.stream(NDJSON, ["{}\n"], { "content-type": "application/x-ndjson" });
    expect(reports).toEqual([{ line: 1, status: "unavailable", error: TEXT }]);
  });

  it("has the code of an append without an answer in reports of v3 and v2", async () => {
    const failure = { error_code: 50_003, message: TEXT, retriable: true, ambiguous: true };
    const batch = await gateway.post(BATCH, { entries: [{ id: "a" }] });
    expect(batch.body).toEqual({ successes: [], failures: [{ id: "a", ...failure }] });
    const { reports } = await gateway.stream(RECORDS, [JSON.stringify(json(1))]);
    expect(reports).toEqual([failure]);
    const v2 = await gateway.post("/topics/plain", { records: [{ value: 1 }] }, V2);
    expect(v2.body).toMatchObject({ offsets: [{ offset: null, error_code: 50_003, error: TEXT }] });
  });
});
