import { BATCH, json, RECORDS, serve, type ServedGateway } from "./handlers/rest-proxy/support.ts";
import type { TestOptions } from "./support.ts";

const gateways: ServedGateway[] = [];

/** The clock of the rates stands still: on a slow machine the limits would allow more during the calls. */
const start = async (options: TestOptions = {}): Promise<ServedGateway> => {
  const gateway = await serve({ rateClock: () => 0, ...options });
  gateways.push(gateway);
  return gateway;
};

afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.server.drain({ graceMs: 0 });
});

/** Two events a second, two at once. */
const SLOW = { "x-api-key": "slow-key-0123456789" };
const V2 = { "content-type": "application/vnd.kafka.json.v2+json" };

describe("a caller with limits", () => {
  it.each([
    ["single", "/stations/plain/produce/single", { n: 1 }, {}],
    ["batch", "/stations/plain/produce/batch", [{}, {}], {}],
    ["v2", "/topics/plain", { records: [{ value: 1 }, { value: 2 }] }, V2],
    ["v3", RECORDS, json(1), {}],
    ["v3 batch", BATCH, { entries: [{ id: "a" }, { id: "b" }] }, {}],
  ])("is refused above them by %s", async (_, path, body, headers) => {
    const gateway = await start();
    const statuses: number[] = [];
    let last;
    for (let n = 0; n < 5; n++) {
      last = await gateway.post(path, body, { ...SLOW, ...headers });
      statuses.push(last.status);
    }
    expect(statuses[0]).toBeLessThan(300);
    expect(statuses.at(-1)).toBe(429);
    expect(Number(last?.headers.get("retry-after"))).toBe(1);
    expect(last?.headers.get("ratelimit-limit")).toBe("2");
    expect(last?.headers.get("ratelimit-remaining")).toBe("0");
    expect(last?.headers.get("ratelimit-reset")).toMatch(/^[12]$/);
    expect(await gateway.records("plain")).toHaveLength(2);
    expect((await gateway.post(path, body, headers)).status).toBeLessThan(300);
  });

  it.each([
    ["a station name that is none", "/stations/%20/produce/single", {}, {}],
    ["a content type that isn't taken", "/stations/plain/produce/batch", [], { "content-type": "image/png" }],
    ["a batch that doesn't parse", "/stations/plain/produce/batch", "[", {}],
    ["a v2 body that doesn't parse", "/topics/plain", "{", V2],
    ["a read that isn't allowed", "/stations/plain/consume/batch", { consumer_name: "c" }, {}],
    ["a path that leads nowhere", "/stations/plain/nothing", {}, {}],
  ])("is refused above its rate of calls by %s", async (_, path, body, headers) => {
    const gateway = await start({ perAddress: { requestsPerSecond: 2 } });
    const statuses: number[] = [];
    for (let n = 0; n < 4; n++) statuses.push((await gateway.post(path, body, headers)).status);
    expect(statuses.slice(0, 2).every((status) => status >= 400 && status < 429)).toBe(true);
    expect(statuses.slice(2)).toEqual([429, 429]);
    expect((await gateway.post(RECORDS, json(1))).status).toBe(429);
  });

  it("is refused above its rate of calls by reads that succeed", async () => {
    const gateway = await start({ perAddress: { requestsPerSecond: 2 } });
    const read = { consumer_name: "c", batch_max_wait_time_ms: 1 };
    const key = { "x-api-key": "sink-key-0123456789" };
    const statuses: number[] = [];
    for (let n = 0; n < 3; n++)
      statuses.push((await gateway.post("/stations/plain/consume/batch", read, key)).status);
    expect(statuses).toEqual([200, 200, 429]);
  });

  it("uses up bytes for keys and headers, and for bodies that don't parse", async () => {
    const gateway = await start({ perAddress: { bytesPerSecond: 1000 } });
    const large = { type: "STRING", data: "k".repeat(600) };
    const headers = [{ name: "h", value: Buffer.alloc(600).toString("base64") }];
    expect((await gateway.post(RECORDS, { key: large })).status).toBe(200);
    expect((await gateway.post(RECORDS, { headers })).status).toBe(429);
    const other = await start({ perAddress: { bytesPerSecond: 1000 } });
    expect((await other.post("/stations/plain/produce/batch", `[{"a":${" ".repeat(2000)}`)).status).toBe(400);
    expect((await other.post("/stations/plain/produce/batch", "[{}]")).status).toBe(429);
  });

  const space = " ".repeat(2000);
  it.each<[string, string, unknown, Record<string, string>]>([
    ["a beacon", "/stations/plain/produce/beacon", `{"events":[{"id":7${space}}]}`, {}],
    ["v2", "/topics/plain", `{"records":[{"value":1,"key_":2${space}}]}`, V2],
    ["v3", RECORDS, `{"value":1${space}}`, {}],
    ["a v3 batch", BATCH, `{"entries":[{"id":"a","value":1${space}}]}`, {}],
  ])("uses up bytes for elements of %s that can't be read", async (_, path, body, headers) => {
    const gateway = await start({ perAddress: { bytesPerSecond: 1000 } });
    await gateway.post(path, body, headers);
    expect(await gateway.records("plain")).toEqual([]);
    expect((await gateway.post(RECORDS, json(1))).status).toBe(429);
  });

  it.each([
    ["a stream", "/stations/plain/produce/stream", { "content-type": "application/x-ndjson" }, "error"],
    ["a v3 stream", RECORDS, {}, "error_code"],
  ])("uses up bytes for lines of %s that can't be read", async (_, path, headers, name) => {
    const gateway = await start({ perAddress: { bytesPerSecond: 1000 } });
    const answer = await gateway.stream(path, [`{"value":1${space}`, `}x\n`], headers);
    expect(answer.reports[0]).toHaveProperty(name);
    expect((await gateway.post(RECORDS, json(1))).status).toBe(429);
  });

  it("gets the remaining quota in every answer", async () => {
    const gateway = await start();
    const answer = await gateway.post(RECORDS, json(1), SLOW);
    expect(answer.headers.get("ratelimit-remaining")).toBe("1");
    expect((await gateway.post(RECORDS, json(1))).headers.has("ratelimit-limit")).toBe(false);
  });

  it("gets the error in the shape of each family", async () => {
    const gateway = await start();
    await gateway.post(RECORDS, json(1), SLOW);
    await gateway.post(RECORDS, json(1), SLOW);
    const v3 = await gateway.post(RECORDS, json(1), SLOW);
    expect(v3.body).toMatchObject({ error_code: 42901, retriable: true });
    const memphis = await gateway.post("/stations/plain/produce/single", {}, SLOW);
    expect(memphis.body).toEqual({ error: "Too many requests", success: false });
  });

  it.each([
    ["a wrong token", "/stations/plain/produce/single", { authorization: "Bearer wrong" }],
    ["no credential", RECORDS, { authorization: "", "x-api-key": "wrong" }],
    ["a path that doesn't exist", "/nothing", { authorization: "Bearer wrong" }],
    ["a beacon", "/stations/plain/produce/beacon", { authorization: "Bearer wrong" }],
  ])("counts a call of an address that is refused for its credential: %s", async (_, path, headers) => {
    const gateway = await start({ perAddress: { requestsPerSecond: 2 } });
    const statuses = [];
    for (let n = 0; n < 4; n++) statuses.push((await gateway.post(path, { events: [{}] }, headers)).status);
    expect(statuses).toEqual([401, 401, 429, 429]);
  });

  it("is also an address, with any principals", async () => {
    const gateway = await start({ perAddress: { requestsPerSecond: 2 } });
    const statuses = [];
    for (let n = 0; n < 4; n++) statuses.push((await gateway.post(RECORDS, json(1))).status);
    expect(statuses).toEqual([200, 200, 429, 429]);
    expect((await gateway.stream(RECORDS, ["{}"])).status).toBe(429);
  });
});
