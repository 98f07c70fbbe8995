import { serve, type ServedGateway } from "../rest-proxy/support.ts";

let gateway: ServedGateway;

beforeEach(async () => {
  gateway = await serve();
});

afterEach(() => gateway.server.drain({ graceMs: 0 }));

const SINGLE = "/stations/plain/produce/single";
const PREFER = { prefer: "return=representation" };
const keyed = (key: string) => ({ ...PREFER, "idempotency-key": key });

describe("Idempotency-Key", () => {
  it("answers a repeated request with the first answer and stores the event once", async () => {
    const first = await gateway.post(SINGLE, { n: 1 }, keyed("k"));
    await gateway.post(SINGLE, { n: 2 }, PREFER);
    const again = await gateway.post(SINGLE, { n: 1 }, keyed("k"));
    expect([again.status, again.text]).toEqual([200, first.text]);
    const stored = await gateway.records("plain");
    expect(stored.map(({ value }) => value?.toString())).toEqual(['{"n":1}', '{"n":2}']);
    expect(stored[0]?.headers.find(({ name }) => name === "x-idempotency-key")?.value?.toString()).toBe("k");
  });

  it("works for simultaneous requests and for batches with refused events", async () => {
    const path = "/stations/orders/produce/batch";
    const body = [{ id: "1" }, { id: "bad" }];
    const answers = await Promise.all([1, 2, 3].map(() => gateway.post(path, body, keyed("k"))));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers[0]?.status).toBe(400);
    expect(await gateway.records("shop.orders")).toHaveLength(1);
  });

  it("counts requests as different if the body, the station or the caller differs", async () => {
    await gateway.post(SINGLE, { n: 1 }, keyed("k"));
    await gateway.post(SINGLE, { n: 2 }, keyed("k"));
    await gateway.post("/stations/orders/produce/single", { n: 1 }, keyed("k"));
    await gateway.post(SINGLE, { n: 1 }, { ...keyed("k"), "x-api-key": "slow-key-0123456789" });
    expect(await gateway.records("plain")).toHaveLength(3);
    expect(await gateway.records("shop.orders")).toHaveLength(1);
  });

  it("applies to one route, and answers a repeated request in the form that it prefers", async () => {
    const events = [{ n: 1 }, { n: 2 }, { n: 3 }];
    const single = await gateway.post(SINGLE, events, keyed("k"));
    const batch = await gateway.post("/stations/plain/produce/batch", events, keyed("k"));
    expect([single.status, batch.status]).toEqual([200, 200]);
    expect(await gateway.records("plain")).toHaveLength(4);
    const repeated = await gateway.post("/stations/plain/produce/batch", events, {
      ...keyed("k"),
      ...PREFER,
    });
    expect(repeated.body).toMatchObject({
      sent: 3,
      results: [{ offset: "1" }, { offset: "2" }, { offset: "3" }],
    });
    expect(await gateway.records("plain")).toHaveLength(4);
  });

  it("counts text and JSON of the same bytes as different requests", async () => {
    await gateway.post(SINGLE, { n: 1 }, keyed("k"));
    await gateway.post(SINGLE, { n: 1 }, { ...keyed("k"), "content-type": "text/plain" });
    expect(await gateway.records("plain")).toHaveLength(2);
  });

  it("does not repeat a 404 after the station is created", async () => {
    const path = "/stations/missing-topic/produce/single";
    expect((await gateway.post(path, { n: 1 }, keyed("k"))).status).toBe(404);
    await gateway.broker.ensureTopic({ name: "nowhere", partitions: 1 });
    expect((await gateway.post(path, { n: 1 }, keyed("k"))).status).toBe(200);
  });

  it("is refused if it is empty or longer than 255 characters", async () => {
    for (const key of ["", "x".repeat(256)]) {
      const answer = await gateway.post(SINGLE, { n: 1 }, keyed(key));
      const error = `Idempotency-Key must have 1 to 255 characters (got ${key.length})`;
      expect([answer.status, answer.body]).toMatchObject([400, { error }]);
    }
  });
});
