import request from "supertest";
import { BROWSER_KEY, createTestGateway, LIMIT, type TestGateway } from "../../support.ts";

const SHOP = "https://shop.example";

const post = (
  { app }: TestGateway,
  envelope: object | string,
  { station = "plain", origin = SHOP, type = "text/plain" } = {},
) =>
  request(app)
    .post(`/stations/${station}/produce/beacon`)
    .set("Content-Type", type)
    .set("Origin", origin)
    .send(typeof envelope === "string" ? envelope : JSON.stringify(envelope));

const events = (...texts: string[]) => texts.map((text, i) => ({ id: `id-${i}`, event: { text } }));

describe("POST /stations/:name/produce/beacon", () => {
  it("stores each event with its id, in order", async () => {
    const gateway = await createTestGateway();
    const answer = await post(gateway, { apiKey: BROWSER_KEY.key, events: events("a", "b") });
    expect([answer.status, answer.body]).toEqual([200, { error: null, success: true }]);
    const records = await gateway.records("plain");
    expect(
      records.map(({ value, headers }) => [
        value?.toString(),
        headers.map(({ name, value: text }) => `${name}: ${String(text)}`),
      ]),
    ).toEqual([
      ['{"text":"a"}', ["content-type: application/json", "x-event-id: id-0"]],
      ['{"text":"b"}', ["content-type: application/json", "x-event-id: id-1"]],
    ]);
  });

  it("accepts a token in the body or a credential in a header", async () => {
    const gateway = await createTestGateway();
    const token = await gateway.token();
    expect((await post(gateway, { token, events: events("a") })).status).toBe(200);
    const outside = await post(gateway, { events: events("b") }, { type: "application/json" }).set(
      "Authorization",
      `Bearer ${token}`,
    );
    expect(outside.status).toBe(200);
    expect(await gateway.records("plain")).toHaveLength(2);
  });

  it("answers the outcome of each event if the body prefers it", async () => {
    const gateway = await createTestGateway();
    const token = await gateway.token();
    const answer = await post(
      gateway,
      { token, prefer: "return=representation", events: events("good", "bad", "good") },
      { station: "orders" },
    );
    expect(answer.status).toBe(400);
    expect(answer.headers["preference-applied"]).toBe("return=representation");
    expect(answer.body).toMatchObject({
      sent: 2,
      fail: 1,
      results: [{ status: "stored", offset: "0" }, { status: "refused" }, { status: "stored", offset: "1" }],
    });
  });

  it.each([
    ["no credential", {}, {}, 401],
    ["a wrong key", { apiKey: "x" }, {}, 401],
    ["a wrong token", { token: "x" }, {}, 401],
    ["an empty token", { token: "" }, {}, 401],
    ["another origin", { apiKey: BROWSER_KEY.key }, { origin: "https://evil.example" }, 403],
    ["a station that the key does not allow", { apiKey: BROWSER_KEY.key }, { station: "orders" }, 403],
    ["another content type", { apiKey: BROWSER_KEY.key }, { type: "application/xml" }, 415],
  ])("refuses %s", async (_case, credential, options, status) => {
    const gateway = await createTestGateway();
    expect((await post(gateway, { ...credential, events: events("a") }, options)).status).toBe(status);
    expect(await gateway.records("plain")).toHaveLength(0);
  });

  it("lets a page read the answer unless its origin is refused", async () => {
    const gateway = await createTestGateway();
    const envelope = { apiKey: BROWSER_KEY.key, events: events("a") };
    const readable = async (answer: ReturnType<typeof post>) =>
      (await answer).headers["access-control-allow-origin"];
    expect(await readable(post(gateway, envelope, { origin: "https://evil.example" }))).toBeUndefined();
    expect(await readable(post(gateway, envelope))).toBe(SHOP);
    expect(await readable(post(gateway, { ...envelope, apiKey: "x" }))).toBe("*");
    expect(await readable(post(gateway, "x".repeat(LIMIT + 1)))).toBe("*");
  });

  it("refuses a body of another shape, and accepts an empty list of events", async () => {
    const gateway = await createTestGateway();
    expect((await post(gateway, "[]")).body).toEqual({ error: "unsupported request", success: false });
    expect((await post(gateway, { apiKey: BROWSER_KEY.key, events: [] })).status).toBe(200);
  });
});
