import { errorOf, NEGATIVE_TTL, open, SECOND, start, textOf, TIMEOUT, TTL } from "./support.ts";

const QUESTION = { of: { subject: "orders-value" }, by: "latest" } as const;

const setUp = async () => {
  const registry = await start();
  registry.add("orders-value", textOf("One"));
  const opened = open([registry.url]);
  await opened.schemas.find(QUESTION);
  registry.add("orders-value", textOf("Two"));
  return { registry, ...opened, find: () => opened.schemas.find(QUESTION) };
};

describe("the latest version", () => {
  it("is not asked for again in the first half of cacheTtl", async () => {
    const { registry, clock, find } = await setUp();
    clock.advance(TTL / 2 - 1);
    expect(find()).toMatchObject({ version: 1 });
    expect(registry.requests).toHaveLength(1);
  });

  it("is refreshed in the background if it is used in the second half, while events go on at once", async () => {
    const { registry, clock, find, ended } = await setUp();
    clock.advance(TTL / 2);
    for (let event = 0; event < 100; event += 1) expect(find()).toMatchObject({ version: 1 });
    await ended(2);
    expect(find()).toMatchObject({ version: 2 });
    expect(registry.requests).toHaveLength(2);
  });

  it("is used at once while its refresh takes longer than cacheTtl", async () => {
    const { registry, clock, find, stale, ended } = await setUp();
    await registry.become("frozen");
    clock.advance(TTL - 1);
    expect(find()).toMatchObject({ version: 1 });
    await registry.received(2);
    clock.advance(2);
    expect(find()).toMatchObject({ version: 1 });
    expect(stale()).toBe(1);
    await registry.become("up");
    await ended(2);
    expect(find()).toMatchObject({ version: 2 });
  });

  it("is asked for before it is used if it was idle for cacheTtl", async () => {
    const { registry, clock, find } = await setUp();
    clock.advance(TTL);
    const found = await Promise.all([find(), find()]);
    expect(found).toMatchObject([{ version: 2 }, { version: 2 }]);
    expect(registry.requests).toHaveLength(2);
  });

  it("is asked for if the clock was set back", async () => {
    const { clock, find } = await setUp();
    clock.advance(-10 * SECOND);
    expect(await find()).toMatchObject({ version: 2 });
  });

  it("is the old one after the registry did not answer; from then on at once", async () => {
    const { registry, clock, find, stale, lines, ended } = await setUp();
    await registry.become("refusing");
    clock.advance(TTL);
    expect(await find()).toMatchObject({ version: 1 });
    expect(find()).toMatchObject({ version: 1 });
    expect(stale()).toBe(2);
    expect(lines).toEqual(["WARN connection failed: ECONNREFUSED"]);
    await ended(3);
    await registry.become("up");
    clock.advance(SECOND);
    await ended(4);
    expect(lines).toEqual(["WARN connection failed: ECONNREFUSED", "INFO"]);
    expect(await find()).toMatchObject({ version: 2 });
  });

  it("waits at most the timeout for a registry that is silent", async () => {
    const { registry, clock, find } = await setUp();
    await registry.become("frozen");
    clock.advance(TTL);
    const found = find();
    await registry.received(2);
    clock.advance(TIMEOUT);
    expect(await found).toMatchObject({ version: 1 });
    expect(find()).toMatchObject({ version: 1 });
  });

  it("is refreshed again a second after a refresh that failed", async () => {
    const { registry, clock, find, ended } = await setUp();
    await registry.become({ status: 500, body: "" });
    clock.advance(TTL / 2);
    expect(find()).toMatchObject({ version: 1 });
    await ended(2);
    expect(find()).toMatchObject({ version: 1 });
    await registry.become("up");
    clock.advance(SECOND);
    await ended(3);
    expect(find()).toMatchObject({ version: 1 });
    await ended(4);
    expect(find()).toMatchObject({ version: 2 });
  });

  it("is unknown once a refresh finds that the subject was deleted", async () => {
    const { registry, clock, find, ended } = await setUp();
    registry.remove("orders-value");
    clock.advance(TTL / 2);
    expect(find()).toMatchObject({ version: 1 });
    await ended(2);
    expect(find).toThrow("The subject orders-value is not in the schema registry");
    registry.add("orders-value", textOf("Three"));
    clock.advance(NEGATIVE_TTL);
    expect(await find()).toMatchObject({ version: 3 });
  });

  it("is REGISTRY_UNAVAILABLE if the registry has never answered for it", async () => {
    const { registry, schemas } = await setUp();
    await registry.become("refusing");
    const { code, message } = await errorOf(() =>
      schemas.find({ of: { subject: "other-value" }, by: "latest" }),
    );
    expect(code).toBe("REGISTRY_UNAVAILABLE");
    expect(message).toBe(
      "Subject other-value: the schema registry is unavailable (connection failed: ECONNREFUSED)",
    );
  });
});
