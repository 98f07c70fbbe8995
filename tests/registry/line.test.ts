import { errorOf, open, SECOND, start, textOf, TIMEOUT } from "./support.ts";

const orders = (by: "latest" = "latest") => ({ of: { subject: "orders-value" }, by }) as const;

describe("the line to the registry", () => {
  it("has at most 16 requests in flight", async () => {
    const registry = await start();
    await registry.become("frozen");
    const { schemas } = open([registry.url]);
    const ask = async (id: number) => schemas.schemaOf(id);
    const asked = Array.from({ length: 40 }, (_, index) => ask(index + 1));
    await registry.received(16);
    await new Promise(setImmediate);
    expect(registry.requests).toHaveLength(16);
    await registry.become("up");
    await Promise.all(asked);
    expect(registry.requests).toHaveLength(40);
  });

  it("has at most 1,000 events waiting; the next one gets REGISTRY_UNAVAILABLE at once", async () => {
    const registry = await start();
    registry.add("known-value", textOf("Known"));
    const { schemas } = open([registry.url]);
    await schemas.schemaOf(1);
    await registry.become("frozen");
    const waiting = Array.from({ length: 1000 }, async () => errorOf(() => schemas.find(orders())));
    expect(await errorOf(() => schemas.find(orders()))).toEqual({
      code: "REGISTRY_UNAVAILABLE",
      message: "The schema: the schema registry is unavailable (too many events wait for it)",
    });
    expect(schemas.schemaOf(1)).toMatchObject({ name: "Known" });
    await registry.become("up");
    const codes = new Set((await Promise.all(waiting)).map(({ code }) => code));
    expect([...codes]).toEqual(["SCHEMA_UNKNOWN"]);
    expect(registry.requests).toHaveLength(2);
  });

  it("fails queued questions with the first request that gets no answer", async () => {
    const registry = await start();
    await registry.become("frozen");
    const { schemas, clock } = open([registry.url]);
    const ask = async (id: number) => (await errorOf(() => schemas.schemaOf(id))).message;
    const asked = Array.from({ length: 100 }, (_, index) => ask(index + 1));
    await registry.received(16);
    clock.advance(TIMEOUT);
    const reasons = new Set((await Promise.all(asked)).map((message) => message.replace(/^Schema \d+/, "")));
    expect([...reasons]).toEqual([": the schema registry is unavailable (no answer within 5000 ms)"]);
    expect(registry.requests.length).toBeLessThan(20);
  });

  it("asks again for each question while the registry is unavailable", async () => {
    const registry = await start();
    registry.add("orders-value", textOf("Order"));
    const { schemas } = open([registry.url]);
    await registry.become("refusing");
    expect((await errorOf(() => schemas.find(orders()))).code).toBe("REGISTRY_UNAVAILABLE");
    await registry.become("up");
    expect(await schemas.find(orders())).toMatchObject({ version: 1 });
  });

  it("finds out every second whether the registry is back, with the newest look-up", async () => {
    const registry = await start();
    const { schemas, clock, lines, ended } = open([registry.url]);
    await registry.become({ status: 503, body: "" });
    await errorOf(() => schemas.find(orders()));
    for (const turn of [2, 3]) {
      clock.advance(SECOND);
      await ended(turn);
    }
    await registry.become("up");
    clock.advance(SECOND);
    await ended(4);
    clock.advance(10 * SECOND);
    expect(new Set(registry.asked)).toEqual(new Set(["GET /subjects/orders-value/versions/latest"]));
    expect(registry.requests).toHaveLength(4);
    expect(lines).toEqual(["WARN status 503", "INFO"]);
  });

  it("warns about each outage, at most 5 times a minute", async () => {
    const registry = await start();
    const { schemas, clock, lines } = open([registry.url]);
    let id = 0;
    const fail = async () => {
      await registry.become({ status: 500, body: "" });
      id += 1;
      await errorOf(() => schemas.schemaOf(id));
      await registry.become("up");
      await schemas.schemaOf(id);
    };
    for (let turn = 0; turn < 7; turn += 1) await fail();
    expect(lines).toEqual(Array.from({ length: 5 }, () => ["WARN status 500", "INFO"]).flat());
    clock.advance(60 * SECOND);
    await fail();
    expect(lines).toHaveLength(12);
  });

  it("does not repeat a registration to find out whether the registry is back", async () => {
    const registry = await start();
    const { schemas, clock, ended } = open([registry.url]);
    registry.registrations = { status: 500, body: "" };
    const text = { type: "AVRO", text: textOf("Order"), register: true } as const;
    await errorOf(() => schemas.find({ ...orders(), by: "text", ...text }));
    clock.advance(SECOND);
    await ended(3);
    expect(registry.asked).toEqual([
      "POST /subjects/orders-value",
      "POST /subjects/orders-value/versions",
      "POST /subjects/orders-value",
    ]);
  });
});

describe("an answer", () => {
  it.each([
    ["a redirect", { status: 302, body: "", headers: { location: "/elsewhere" } }],
    ["401", { status: 401, body: { error_code: 401, message: "no" } }],
    ["403", { status: 403, body: { error_code: 403, message: "no" } }],
    ["429", { status: 429, body: "" }],
    ["404 without a code", { status: 404, body: "<html>" }],
    ["404 with another code", { status: 404, body: { error_code: 404, message: "no" } }],
    ["a code without 404", { status: 400, body: { error_code: 40403, message: "no" } }],
    ["no JSON", { status: 200, body: "<html>" }],
    ["another shape", { status: 200, body: { schema: 5, id: 1, version: 1 } }],
    [
      "references of another shape",
      { status: 200, body: { schema: "1", id: 1, version: 1, references: [{}] } },
    ],
    ["no id", { status: 200, body: { schema: "1", version: 1 } }],
    ["an id above 2^31-1", { status: 200, body: { schema: "1", version: 1, id: 2 ** 31 } }],
    ["an answer longer than 8 × maxSchemaBytes", { status: 200, body: "x".repeat(80_001) }],
  ])("is REGISTRY_UNAVAILABLE if it is %s", async (_, answer) => {
    const registry = await start();
    await registry.become(answer);
    const { schemas, lines } = open([registry.url]);
    const { code, message } = await errorOf(() => schemas.find(orders()));
    expect(code).toBe("REGISTRY_UNAVAILABLE");
    expect(message).toMatch(/^Subject orders-value: the schema registry is unavailable \(.*\)$/);
    expect(registry.requests).toHaveLength(1);
    expect(lines).toHaveLength(answer.status === 400 ? 0 : 1);
  });

  it.each([40401, 40402, 40403])("says not found by 404 and the code %d, whatever its text", async (code) => {
    const registry = await start();
    await registry.become({ status: 404, body: { error_code: code, message: "line one\nline two" } });
    const { schemas } = open([registry.url]);
    expect(await errorOf(() => schemas.find(orders()))).toEqual({
      code: "SCHEMA_UNKNOWN",
      message: "The subject orders-value is not in the schema registry (line one line two)",
    });
  });
});
