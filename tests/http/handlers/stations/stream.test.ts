import { GatewayError } from "../../../../src/errors.ts";
import { brokenBroker, LIMIT } from "../../support.ts";
import { linesOf, serve, type ServedGateway } from "../rest-proxy/support.ts";

let gateway: ServedGateway;

beforeEach(async () => {
  gateway = await serve();
});

afterEach(() => gateway.server.drain({ graceMs: 0 }));

const PATH = "/stations/plain/produce/stream";
const NDJSON = { "content-type": "application/x-ndjson" };

describe("an NDJSON stream", () => {
  it("answers each line with one line", async () => {
    const lines = ['{"a": 1.0}', "", "not json", "  ", '"text"\r', "[1]"];
    const { status, reports } = await gateway.stream(PATH, [lines.join("\n")], NDJSON);
    expect(status).toBe(200);
    expect(reports).toEqual([
      { line: 1, status: "stored", partition: 0, offset: "0" },
      { line: 2, status: "refused", error: "Invalid JSON" },
      { line: 3, status: "stored", partition: 0, offset: "1" },
      { line: 4, status: "stored", partition: 0, offset: "2" },
    ]);
    const stored = await gateway.records("plain");
    expect(stored.map(({ value }) => value?.toString())).toEqual(['{"a": 1.0}', '"text"', "[1]"]);
    expect(stored[0]?.headers.map(({ name }) => name)).toEqual(["content-type"]);
  });

  it("accepts a body with a Content-Length", async () => {
    const answer = await gateway.post(PATH, '{"a":1}\n{"a":2}\n', NDJSON);
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/x-ndjson"]);
    expect(linesOf(answer.text)).toMatchObject([{ line: 1 }, { line: 2 }]);
  });

  it("applies the schema and the key of the station", async () => {
    const path = "/stations/ORDERS/produce/stream";
    const { reports } = await gateway.stream(path, ['{"id":"bad"}\n{"id":"k"}\n{"id":{}}'], NDJSON);
    expect(reports).toMatchObject([{ status: "refused" }, { status: "stored" }, { status: "refused" }]);
    expect(await gateway.records("shop.orders")).toMatchObject([{ key: Buffer.from("k") }]);
  });

  it("answers results with the id of the event as soon as they are known", async () => {
    const events = ['{"order":{"id":"a-1"}}', '{"order":{"id":12345678901234567890}}', "nope", '{"none":1}'];
    const { reports } = await gateway.stream(`${PATH}?id=/order/id`, [events.join("\n")], NDJSON);
    expect(reports).toHaveLength(4);
    expect(reports[0]).toMatchObject({ line: 3, status: "refused" });
    expect(reports[1]).toMatchObject({ line: 1, id: "a-1", status: "stored" });
    expect(reports[3]).toMatchObject({ line: 4, status: "stored" });
    expect(reports[3]).not.toHaveProperty("id");
    const plain = await gateway.post(`${PATH}?id=/order/id`, events[1], NDJSON);
    expect(plain.text).toContain('"id":12345678901234567890,');
  });

  it("answers unavailable for a failed event and unknown for an ambiguous event", async () => {
    const failures = ["BROKER_UNAVAILABLE", "BROKER_AMBIGUOUS"] as const;
    const other = await serve({
      broker: brokenBroker((_, all) =>
        Promise.resolve(
          all.map((_record, i) => ({
            status: "failed",
            error: new GatewayError(failures[i] ?? "INTERNAL"),
          })),
        ),
      ),
    });
    const { reports } = await other.stream(PATH, ["1\n2\n"], NDJSON);
    expect(reports).toMatchObject([
      { line: 1, status: "unavailable" },
      { line: 2, status: "unknown" },
    ]);
    await other.server.drain({ graceMs: 0 });
  });

  it("limits the rate of a client", async () => {
    const { reports } = await gateway.stream(PATH, ["1\n2\n3\n"], {
      ...NDJSON,
      "x-api-key": "slow-key-0123456789",
    });
    expect(reports.map(({ status }) => status)).toEqual(["stored", "stored", "unavailable"]);
    expect(reports[2]).toMatchObject({ retry_after_ms: expect.any(Number) as unknown });
  });

  it("ends at a line that is too long", async () => {
    const { reports } = await gateway.stream(PATH, [`1\n"${"x".repeat(LIMIT)}"\n2\n`], NDJSON);
    expect(reports).toEqual([
      { line: 1, status: "stored", partition: 0, offset: "0" },
      { line: 2, status: "refused", error: "Request Entity Too Large" },
    ]);
  });

  it("is refused before it begins with the errors of the Memphis API", async () => {
    const answers = [
      await gateway.post(PATH, "1", { "content-type": "image/png" }),
      await gateway.post("/stations/nope/produce/stream", "1", NDJSON),
      await gateway.post("/stations/hidden/produce/stream", "1", NDJSON),
      await gateway.post(PATH, "1", { ...NDJSON, "content-encoding": "gzip" }),
      await gateway.post(`${PATH}?id=order`, "1", NDJSON),
      await gateway.post(PATH, "1", { ...NDJSON, "x-api-key": "wrong" }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([415, 404, 403, 415, 400, 401]);
    expect(answers[1]?.body).toEqual({ error: "Station nope does not exist", success: false });
    const error = 'id must be a JSON pointer, such as /orderId (got "order")';
    expect(answers[4]?.body).toEqual({ error, success: false });
  });
});
