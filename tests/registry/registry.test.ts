import { errorOf, NEGATIVE_TTL, open, start, textOf, textsOf } from "./support.ts";

const ORDERS = { subject: "orders-value" };
const TOPIC = { strategy: "topic-name", topic: "orders", part: "value" } as const;

describe("the latest version of a subject", () => {
  it("is asked for once, however many events wait, and then known at once", async () => {
    const registry = await start();
    registry.add("orders-value", textOf("old"));
    registry.add("orders-value", textOf("Order"));
    const { schemas, compiled } = open([registry.url]);
    const find = async () => schemas.find({ of: TOPIC, by: "latest" });
    const found = await Promise.all(Array.from({ length: 100 }, find));
    expect(found[99]).toMatchObject({
      id: 2,
      subject: "orders-value",
      version: 2,
      schema: { name: "Order" },
    });
    expect(schemas.find({ of: ORDERS, by: "latest" })).toMatchObject({ id: 2, version: 2 });
    expect(registry.asked).toEqual(["GET /subjects/orders-value/versions/latest"]);
    expect(registry.requests[0]?.headers.accept).toBe("application/vnd.schemaregistry.v1+json");
    expect(compiled).toEqual([textOf("Order")]);
  });

  it("needs no further request for its id, its version and its text", async () => {
    const registry = await start();
    registry.add("orders-value", textOf("Order"));
    const { schemas } = open([registry.url]);
    await schemas.find({ of: ORDERS, by: "latest" });
    const known = { id: 1, version: 1, subject: "orders-value" };
    expect(schemas.find({ of: ORDERS, by: "id", id: 1 })).toMatchObject(known);
    expect(schemas.find({ of: ORDERS, by: "version", version: 1 })).toMatchObject(known);
    expect(schemas.schemaOf(1)).toMatchObject({ name: "Order" });
    expect(registry.asked).toHaveLength(1);
  });

  it("is SCHEMA_UNKNOWN if the subject does not exist, for negativeTtl", async () => {
    const registry = await start();
    const { schemas, clock } = open([registry.url]);
    const find = () => schemas.find({ of: ORDERS, by: "latest" });
    expect(await errorOf(find)).toEqual({
      code: "SCHEMA_UNKNOWN",
      message: "The subject orders-value is not in the schema registry (Subject 'orders-value' not found.)",
    });
    registry.add("orders-value", textOf("Order"));
    clock.advance(NEGATIVE_TTL - 1);
    expect(find).toThrow("is not in the schema registry");
    clock.advance(1);
    expect(await find()).toMatchObject({ id: 1 });
    expect(registry.asked).toHaveLength(2);
  });

  it("is SCHEMA_UNUSABLE if its text does not parse, and is not asked for again in negativeTtl", async () => {
    const registry = await start();
    registry.add("orders-value", '"broken"');
    const { schemas } = open([registry.url]);
    const find = () => schemas.find({ of: ORDERS, by: "latest" });
    for (let turn = 0; turn < 3; turn += 1) {
      expect(await errorOf(find)).toEqual({
        code: "SCHEMA_UNUSABLE",
        message: "The schema can't be used: it is broken",
      });
    }
    expect(registry.asked).toHaveLength(1);
  });

  it("needs a schema for the strategies by record name", async () => {
    const registry = await start();
    const { schemas } = open([registry.url]);
    const of = { strategy: "record-name", topic: "orders", part: "value" } as const;
    const { code } = await errorOf(() => schemas.find({ of, by: "latest" }));
    expect(code).toBe("REQUEST_INVALID");
  });
});

describe("a version of a subject", () => {
  it("is asked for once", async () => {
    const registry = await start();
    registry.add("orders-value", textOf("One"));
    registry.add("orders-value", textOf("Two"));
    const { schemas } = open([registry.url]);
    const find = () => schemas.find({ of: ORDERS, by: "version", version: 1 });
    expect(await find()).toMatchObject({ id: 1, version: 1 });
    expect(find()).toMatchObject({ schema: { name: "One" } });
    expect(registry.asked).toEqual(["GET /subjects/orders-value/versions/1"]);
  });

  it.each(["orders-value", "other-value"])(
    "is SCHEMA_VERSION_UNKNOWN if %s does not have it",
    async (subject) => {
      const registry = await start();
      registry.add("orders-value", textOf("One"));
      const { schemas } = open([registry.url]);
      const { code, message } = await errorOf(() =>
        schemas.find({ of: { subject }, by: "version", version: 9 }),
      );
      expect(code).toBe("SCHEMA_VERSION_UNKNOWN");
      expect(message).toContain(`The subject ${subject} does not have version 9 (`);
    },
  );
});

describe("an id", () => {
  it("must be one of the subject's ids", async () => {
    const registry = await start();
    registry.add("orders-value", textOf("Order"));
    registry.add("other-value", textOf("Other"));
    const { schemas } = open([registry.url]);
    expect(await schemas.find({ of: TOPIC, by: "id", id: 1 })).toMatchObject({ version: 1 });
    expect(schemas.find({ of: TOPIC, by: "id", id: 1 })).toMatchObject({ version: 1 });
    const find = () => schemas.find({ of: TOPIC, by: "id", id: 2 });
    expect(await errorOf(find)).toEqual({
      code: "SCHEMA_UNKNOWN",
      message: "Schema 2 does not belong to the subject orders-value",
    });
    expect(find).toThrow("does not belong");
    expect(registry.asked).toEqual([
      "GET /schemas/ids/1?subject=orders-value",
      "GET /schemas/ids/1/versions?subject=orders-value",
      "GET /schemas/ids/2?subject=orders-value",
      "GET /schemas/ids/2/versions?subject=orders-value",
    ]);
  });

  it("is SCHEMA_UNKNOWN if the registry does not have it", async () => {
    const registry = await start();
    const { schemas } = open([registry.url]);
    expect(await errorOf(() => schemas.find({ of: ORDERS, by: "id", id: 7 }))).toEqual({
      code: "SCHEMA_UNKNOWN",
      message: "Schema 7 is not in the schema registry (Schema not found)",
    });
  });

  it.each([
    ["record-name", "com.acme.Order"],
    ["topic-record-name", "orders-com.acme.Order"],
  ] as const)("belongs to the subject by the strategy %s", async (strategy, subject) => {
    const registry = await start();
    registry.add(subject, textOf("com.acme.Order"));
    const { schemas } = open([registry.url]);
    const of = { strategy, topic: "orders", part: "value" } as const;
    expect(await schemas.find({ of, by: "id", id: 1 })).toMatchObject({ subject, version: 1 });
  });

  it("is SCHEMA_UNKNOWN if the strategy needs a name and the schema has none", async () => {
    const registry = await start();
    registry.add("orders-value", textOf(undefined));
    const { schemas } = open([registry.url]);
    const of = { strategy: "record-name", topic: "orders", part: "value" } as const;
    expect(await errorOf(() => schemas.find({ of, by: "id", id: 1 }))).toEqual({
      code: "SCHEMA_UNKNOWN",
      message: "The strategy RECORD_NAME needs the schema's name, and the schema has none",
    });
  });

  it("is counted by each context", async () => {
    const registry = await start();
    registry.add("orders-value", textOf("Default"));
    registry.add(":.eu:orders-value", textOf("European"));
    const { schemas } = open([registry.url]);
    const european = { subject: ":.eu:orders-value" };
    expect(await schemas.find({ of: ORDERS, by: "id", id: 1 })).toMatchObject({
      schema: { name: "Default" },
    });
    expect(await schemas.find({ of: european, by: "id", id: 1 })).toMatchObject({
      subject: ":.eu:orders-value",
      schema: { name: "European" },
    });
    expect(schemas.schemaOf(1)).toMatchObject({ name: "Default" });
    expect(schemas.schemaOf(1, ":.eu:orders-value")).toMatchObject({ name: "European" });
    expect(registry.asked).toContain("GET /schemas/ids/1?subject=%3A.eu%3Aorders-value");
  });
});

describe("the schema of a record", () => {
  it("is undefined if the registry does not have the id, for negativeTtl", async () => {
    const registry = await start();
    const { schemas, clock } = open([registry.url]);
    expect(await schemas.schemaOf(1)).toBeUndefined();
    registry.add("orders-value", textOf("Order"));
    expect(schemas.schemaOf(1)).toBeUndefined();
    clock.advance(NEGATIVE_TTL);
    expect(await schemas.schemaOf(1)).toMatchObject({ name: "Order" });
    expect(registry.asked).toEqual(["GET /schemas/ids/1", "GET /schemas/ids/1"]);
  });

  it("is found by its GUID; a registry without this call does not have it", async () => {
    const registry = await start();
    const { guid } = registry.add("orders-value", textOf("Order"));
    const { schemas } = open([registry.url]);
    expect(await schemas.schemaOf(guid)).toMatchObject({ name: "Order" });
    expect(schemas.schemaOf(guid)).toMatchObject({ name: "Order" });
    await registry.become({ status: 404, body: "<html>no such call</html>" });
    expect(await schemas.schemaOf("00000000-0000-0000-0000-000000000000")).toBeUndefined();
  });

  it("is SCHEMA_UNUSABLE if its type is not known", async () => {
    const registry = await start();
    registry.add("orders-value", "<xsd/>", { schemaType: "XSD" });
    const { schemas } = open([registry.url]);
    const { code, message } = await errorOf(() => schemas.schemaOf(1));
    expect([code, message]).toEqual([
      "SCHEMA_UNUSABLE",
      "The schema can't be used: the gateway does not know the type XSD",
    ]);
  });
});

describe("a name of a subject", () => {
  it.each([
    ["a/b c", "a%2Fb%20c"],
    ["..a", "..a"],
    ["größe?#", "gr%C3%B6%C3%9Fe%3F%23"],
  ])("%j is one segment of the URL", async (subject, segment) => {
    const registry = await start();
    registry.add(subject, textOf("Order"));
    const { schemas } = open([registry.url]);
    expect(await schemas.find({ of: { subject }, by: "latest" })).toMatchObject({ subject });
    expect(registry.asked).toEqual([`GET /subjects/${segment}/versions/latest`]);
  });

  it.each(["", ".", "..", "a\nb", "\ud800", "x".repeat(3001)])(
    "%j is refused without a request",
    async (subject) => {
      const registry = await start();
      const { schemas } = open([registry.url]);
      const { code, message } = await errorOf(() => schemas.find({ of: { subject }, by: "latest" }));
      expect(code).toBe("SCHEMA_UNKNOWN");
      expect(message).toContain("No subject can have the name ");
      expect(registry.asked).toEqual([]);
    },
  );
});

describe("compiled schemas", () => {
  it("are at most maxSchemas; an older one is compiled again without a request", async () => {
    const registry = await start();
    for (const name of ["One", "Two", "Three"]) registry.add(`${name}-value`, textOf(name));
    const { schemas, compiled, cached } = open([registry.url], { maxSchemas: 2 });
    for (const id of [1, 2, 3]) await schemas.schemaOf(id);
    expect(cached()).toBe(2);
    expect(schemas.schemaOf(1)).toMatchObject({ name: "One" });
    expect(compiled).toEqual(["One", "Two", "Three", "One"].map(textOf));
    expect(registry.asked).toHaveLength(3);
  });

  it("have their references first", async () => {
    const registry = await start();
    registry.add("money", textOf("Money"));
    const reference = { name: "Money", subject: "money", version: 1 };
    registry.add("orders-value", textOf("Order"), { references: [reference] });
    const { schemas } = open([registry.url]);
    const { schema } = await schemas.find({ of: ORDERS, by: "latest" });
    expect(textsOf(schema)).toEqual(["Money", "Order"].map(textOf));
  });
});
