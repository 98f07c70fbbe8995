import { errorOf, open, start, textOf, textsOf } from "./support.ts";

const QUESTION = { of: { subject: "orders-value" }, by: "latest" } as const;

const to = (name: string, subject = name.toLowerCase(), version = 1) => ({ name, subject, version });

const found = async (setUp: (registry: Awaited<ReturnType<typeof start>>) => void) => {
  const registry = await start();
  setUp(registry);
  const { schemas } = open([registry.url]);
  return { registry, schemas, find: async () => (await schemas.find(QUESTION)).schema };
};

describe("references", () => {
  it("stand behind those that they need, each once", async () => {
    const { registry, find } = await found(({ add }) => {
      add("currency", textOf("Currency"));
      add("money", textOf("Money"), { references: [to("Currency")] });
      add("line", textOf("Line"), { references: [to("Money")] });
      add("orders-value", textOf("Order"), { references: [to("Line"), to("Currency"), to("Money")] });
    });
    expect(textsOf(await find())).toEqual(["Currency", "Money", "Line", "Order"].map(textOf));
    expect(registry.asked.slice(1).sort()).toEqual(
      ["currency", "line", "money"].map((name) => `GET /subjects/${name}/versions/1?deleted=true`),
    );
  });

  it("are shared by schemas, and found after they were deleted", async () => {
    const { registry, schemas, find } = await found(({ add, remove }) => {
      add("money", textOf("Money"));
      add("orders-value", textOf("Order"), { references: [to("Money")] });
      add("refunds-value", textOf("Refund"), { references: [to("Money")] });
      remove("money");
    });
    await find();
    const { schema } = await schemas.find({ of: { subject: "refunds-value" }, by: "latest" });
    expect(textsOf(schema)).toEqual(["Money", "Refund"].map(textOf));
    expect(registry.requests).toHaveLength(3);
  });

  it("are in the context of the schema that names them", async () => {
    const { schemas } = await found(({ add }) => {
      add("money", textOf("DefaultMoney"));
      add(":.eu:money", textOf("EuroMoney"));
      add(":.eu:orders-value", textOf("Order"), { references: [to("Money"), to("Other", ":.:money")] });
    });
    const { schema } = await schemas.find({ of: { subject: ":.eu:orders-value" }, by: "latest" });
    expect(textsOf(schema)[0]).toBe(textOf("EuroMoney"));
  });

  it("may be 16 levels deep and no more", async () => {
    const chain = (levels: number) =>
      found(({ add }) => {
        add("level1", textOf("Level1"));
        for (let level = 2; level <= levels; level += 1)
          add(`level${level}`, textOf(`Level${level}`), { references: [to(`Level${level - 1}`)] });
        add("orders-value", textOf("Order"), { references: [to(`Level${levels}`)] });
      });
    expect(textsOf(await (await chain(16)).find())).toHaveLength(17);
    const { find } = await chain(17);
    expect(await errorOf(find)).toEqual({
      code: "SCHEMA_UNUSABLE",
      message: "The schema can't be used: its references are nested in more than 16 levels",
    });
  });

  it("may be 100 and no more", async () => {
    const many = (count: number) =>
      found(({ add }) => {
        const references = Array.from({ length: count }, (_, index) => to(`N${index}`));
        for (const { name, subject } of references) add(subject, textOf(name));
        add("orders-value", textOf("Order"), { references });
      });
    expect(textsOf(await (await many(100)).find())).toHaveLength(101);
    const { find, registry } = await many(101);
    expect((await errorOf(find)).message).toBe("The schema can't be used: it has more than 100 references");
    expect(registry.requests).toHaveLength(1);
  });

  it("may not form a cycle", async () => {
    const { find } = await found(({ add }) => {
      add("a", textOf("A"), { references: [to("B")] });
      add("b", textOf("B"), { references: [to("A")] });
      add("orders-value", textOf("Order"), { references: [to("A")] });
    });
    expect(await errorOf(find)).toEqual({
      code: "SCHEMA_UNUSABLE",
      message: 'The schema can\'t be used: its references form a cycle at "A"',
    });
  });

  it.each([
    ["that does not exist", to("Money"), "is not in the registry (Subject 'money' not found.)"],
    ["with a name of no subject", to("Money", ".."), "can't be found: No subject can have the name"],
    ["with the version -1", to("Money", "money", -1), "must have a version of 1 or greater (got -1)"],
    ["of another format", to("Proto", "proto"), "has another format"],
  ])("are refused: one %s", async (_, reference, reason) => {
    const { find, registry } = await found(({ add }) => {
      add("proto", "message M {}", { schemaType: "PROTOBUF" });
      add("orders-value", textOf("Order"), { references: [reference] });
    });
    for (let turn = 0; turn < 2; turn += 1) {
      const { code, message } = await errorOf(find);
      expect(code).toBe("SCHEMA_UNUSABLE");
      expect(message).toContain(`its reference "${reference.name}" ${reason}`);
    }
    expect(registry.requests.length).toBeLessThan(3);
  });

  it("are refused if they have more bytes than maxSchemaBytes together", async () => {
    const { find } = await found(({ add }) => {
      const references = [to("A"), to("B")];
      for (const { name, subject } of references) add(subject, textOf(name.repeat(6000)));
      add("orders-value", textOf("Order"), { references });
    });
    expect((await errorOf(find)).message).toContain("its references are larger than registry.maxSchemaBytes");
  });

  it("are REGISTRY_UNAVAILABLE if the registry does not answer for one, and asked for again", async () => {
    const { registry, find } = await found(({ add }) => {
      add("money", textOf("Money"));
      add("orders-value", textOf("Order"), { references: [to("Money")] });
    });
    await registry.become("frozen");
    const first = errorOf(find);
    await registry.received(1);
    await registry.become("up");
    await registry.become({ status: 500, body: "" });
    expect((await first).code).toBe("REGISTRY_UNAVAILABLE");
    await registry.become("up");
    expect(textsOf(await find())).toEqual(["Money", "Order"].map(textOf));
  });
});
