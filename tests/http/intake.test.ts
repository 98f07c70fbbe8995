import { BATCH, json, RECORDS, serve, type ServedGateway } from "./handlers/rest-proxy/support.ts";
import type { TestOptions } from "./support.ts";

const gateways: ServedGateway[] = [];

const start = async (options: TestOptions = {}): Promise<ServedGateway> => {
  const gateway = await serve(options);
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
  ])("is held to them by %s", async (_, path, body, headers) => {
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

  it("is told what is left before it is too late", async () => {
    const gateway = await start();
    const answer = await gateway.post(RECORDS, json(1), SLOW);
    expect(answer.headers.get("ratelimit-remaining")).toBe("1");
    expect((await gateway.post(RECORDS, json(1))).headers.has("ratelimit-limit")).toBe(false);
  });

  it("hears of it in each family's words", async () => {
    const gateway = await start();
    await gateway.post(RECORDS, json(1), SLOW);
    await gateway.post(RECORDS, json(1), SLOW);
    const v3 = await gateway.post(RECORDS, json(1), SLOW);
    expect(v3.body).toMatchObject({ error_code: 42901, retriable: true });
    const memphis = await gateway.post("/stations/plain/produce/single", {}, SLOW);
    expect(memphis.body).toEqual({ error: "Too many requests", success: false });
  });

  it("is an address too, whoever calls from it", async () => {
    const gateway = await start({ perAddress: { requestsPerSecond: 2 } });
    const statuses = [];
    for (let n = 0; n < 4; n++) statuses.push((await gateway.post(RECORDS, json(1))).status);
    expect(statuses).toEqual([200, 200, 429, 429]);
    expect((await gateway.stream(RECORDS, ["{}"])).status).toBe(429);
  });
});
