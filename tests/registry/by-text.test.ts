import { errorOf, NEGATIVE_TTL, open, start, textOf, textsOf } from "./support.ts";

const TOPIC = { strategy: "topic-name", topic: "orders", part: "value" } as const;

const question = (text: string, register = false) =>
  ({ of: TOPIC, by: "text", type: "AVRO", text, register }) as const;

describe("a schema by its text", () => {
  it("is looked up once", async () => {
    const registry = await start();
    registry.add("orders-value", textOf("Order"));
    const { schemas } = open([registry.url]);
    const find = () => schemas.find(question(textOf("Order")));
    expect(await find()).toMatchObject({
      id: 1,
      subject: "orders-value",
      version: 1,
      schema: { name: "Order" },
    });
    expect(find()).toMatchObject({ id: 1 });
    expect(schemas.schemaOf(1)).toMatchObject({ name: "Order" });
    expect(registry.asked).toEqual(["POST /subjects/orders-value"]);
  });

  it("has the registered references", async () => {
    const registry = await start();
    registry.add("money", textOf("Money"));
    const { id } = registry.add("orders-value", textOf("Order"));
    await registry.become({
      status: 200,
      body: {
        ...{ subject: "orders-value", id, version: 1, schema: textOf("Order") },
        references: [{ name: "Money", subject: "money", version: 1 }],
      },
    });
    const { schemas } = open([registry.url]);
    const found = schemas.find(question(textOf("Order")));
    await registry.received(1);
    await registry.become("up");
    expect(textsOf((await found).schema)).toEqual(["Money", "Order"].map(textOf));
  });

  it("is SCHEMA_UNKNOWN if it is not registered, and the message names autoRegister", async () => {
    const registry = await start();
    const { schemas, clock } = open([registry.url]);
    const find = () => schemas.find(question(textOf("Order")));
    const subjectAbsent = await errorOf(find);
    registry.add("orders-value", textOf("Other"));
    clock.advance(NEGATIVE_TTL);
    const textAbsent = await errorOf(find);
    expect(find).toThrow("autoRegister is off");
    expect([subjectAbsent, textAbsent]).toEqual(
      ["Subject 'orders-value' not found.", "Schema not found"].map((reason) => ({
        code: "SCHEMA_UNKNOWN",
        message: `The subject orders-value does not have this schema (${reason}), and autoRegister is off`,
      })),
    );
    expect(registry.requests).toHaveLength(2);
  });

  it("is registered if that is allowed, and the subject's latest version is known at once", async () => {
    const registry = await start();
    const { schemas } = open([registry.url], { normalize: true });
    await errorOf(() => schemas.find({ of: TOPIC, by: "latest" }));
    expect(await schemas.find(question(textOf("Order"), true))).toMatchObject({ id: 1, version: 1 });
    expect(await schemas.find({ of: TOPIC, by: "latest" })).toMatchObject({ id: 1 });
    expect(registry.asked).toEqual([
      "GET /subjects/orders-value/versions/latest",
      "POST /subjects/orders-value?normalize=true",
      "POST /subjects/orders-value/versions?normalize=true",
      "POST /subjects/orders-value?normalize=true",
      "GET /subjects/orders-value/versions/latest",
    ]);
  });

  it.each([
    [409, "SCHEMA_REGISTRATION_REFUSED"],
    [422, "SCHEMA_REGISTRATION_REFUSED"],
    [403, "REGISTRY_FORBIDDEN"],
  ] as const)("gets the registry's reason if it answers %d to a registration", async (status, code) => {
    const registry = await start();
    const { schemas, lines } = open([registry.url]);
    registry.registrations = { status, body: { error_code: status, message: "field\n a is missing" } };
    const find = () => schemas.find(question(textOf("Order"), true));
    expect(await errorOf(find)).toEqual({
      code,
      message:
        "The schema registry does not register the schema for the subject orders-value (field a is missing)",
    });
    expect(find).toThrow("field a is missing");
    expect(registry.requests).toHaveLength(2);
    expect(lines).toEqual([]);
  });

  it.each([401, 500])(
    "is REGISTRY_UNAVAILABLE if the registry answers %d to a registration",
    async (status) => {
      const registry = await start();
      const { schemas } = open([registry.url]);
      registry.registrations = { status, body: "" };
      const { code } = await errorOf(() => schemas.find(question(textOf("Order"), true)));
      expect(code).toBe("REGISTRY_UNAVAILABLE");
    },
  );

  it("does not count a 422 to a look-up as an outage, because the text may be the reason", async () => {
    const registry = await start();
    await registry.become({ status: 422, body: { error_code: 42201, message: "no schema" } });
    const { schemas, lines } = open([registry.url]);
    const { code, message } = await errorOf(() => schemas.find(question(textOf("Order"))));
    expect(code).toBe("REGISTRY_UNAVAILABLE");
    expect(message).toContain("(status 422: no schema)");
    expect(lines).toEqual([]);
  });

  it.each([
    ["does not parse", '"broken"', "it is broken"],
    [
      "is too large",
      JSON.stringify("x".repeat(10_000)),
      "it is larger than registry.maxSchemaBytes (10000 bytes)",
    ],
  ])("is SCHEMA_UNUSABLE without a request if it %s", async (_, text, reason) => {
    const registry = await start();
    const { schemas } = open([registry.url]);
    expect(await errorOf(() => schemas.find(question(text)))).toEqual({
      code: "SCHEMA_UNUSABLE",
      message: `The schema can't be used: ${reason}`,
    });
    expect(registry.requests).toHaveLength(0);
  });

  it.each([
    ["record-name", "Order"],
    ["topic-record-name", "orders-Order"],
  ] as const)("belongs to the subject by the strategy %s", async (strategy, subject) => {
    const registry = await start();
    const { schemas } = open([registry.url]);
    const of = { strategy, topic: "orders", part: "value" } as const;
    const find = () => schemas.find({ ...question(textOf("Order"), true), of });
    expect(await find()).toMatchObject({ subject, version: 1 });
    expect(find()).toMatchObject({ subject, version: 1 });
  });
});
