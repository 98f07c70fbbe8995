import { GatewayError } from "../../src/errors.ts";
import { createIdempotency, type IdempotentCall } from "../../src/ingest/idempotency.ts";
import type { EventOutcome } from "../../src/ingest/produce.ts";

const stored = (offset: bigint): EventOutcome => ({ status: "stored", partition: 0, offset, timestamp: 1 });
const failed = (code: "SCHEMA_REFUSED" | "BROKER_UNAVAILABLE" | "BROKER_AMBIGUOUS"): EventOutcome => ({
  status: "failed",
  error: new GatewayError(code),
});

const call = (overrides: Partial<IdempotentCall> = {}): IdempotentCall => ({
  key: "k",
  principal: "app",
  station: "orders",
  body: Buffer.from("{}"),
  ...overrides,
});

/** Writes that are counted; each stores at the next offset, unless the test says otherwise. */
const setUp = (maxOutcomes = 100, windowMs = 60_000) => {
  const idempotency = createIdempotency({ windowMs, maxOutcomes });
  let writes = 0;
  return {
    writes: () => writes,
    once: (which: IdempotentCall, outcomes?: readonly EventOutcome[]) =>
      idempotency.once(which, () => {
        writes++;
        return Promise.resolve(outcomes ?? [stored(BigInt(writes))]);
      }),
    idempotency,
  };
};

describe("a repeated call", () => {
  it("gets the first one's outcomes without a second write", async () => {
    const { once, writes } = setUp();
    const first = await once(call());
    expect(await once(call())).toBe(first);
    expect(writes()).toBe(1);
  });

  it.each([
    ["key", { key: "other" }],
    ["principal", { principal: "other" }],
    ["station", { station: "other" }],
    ["body", { body: Buffer.from("{ }") }],
  ])("is another call where its %s differs", async (_, overrides) => {
    const { once, writes } = setUp();
    await once(call());
    await once(call(overrides));
    expect(writes()).toBe(2);
  });

  it("waits for the first one while that is under way", async () => {
    const { idempotency } = setUp();
    let settle = (_: readonly EventOutcome[]): void => undefined;
    const first = idempotency.once(call(), () => new Promise((resolve) => (settle = resolve)));
    const second = idempotency.once(call(), () => Promise.reject(new GatewayError("INTERNAL")));
    settle([stored(7n)]);
    expect(await second).toEqual([stored(7n)]);
    expect(await first).toEqual([stored(7n)]);
  });

  it("gets a refusal again", async () => {
    const { once, writes } = setUp();
    await once(call(), [stored(1n), failed("SCHEMA_REFUSED")]);
    expect((await once(call()))[1]?.status).toBe("failed");
    expect(writes()).toBe(1);
  });

  it.each(["BROKER_UNAVAILABLE", "BROKER_AMBIGUOUS"] as const)(
    "is carried out again after %s",
    async (code) => {
      const { once } = setUp();
      await once(call(), [failed(code)]);
      expect(await once(call())).toEqual([stored(2n)]);
    },
  );

  it("is carried out again after a call that rejected", async () => {
    const { idempotency, once } = setUp();
    const broken = idempotency.once(call(), () => Promise.reject(new GatewayError("STATION_FORBIDDEN")));
    await expect(broken).rejects.toMatchObject({ code: "STATION_FORBIDDEN" });
    expect(await once(call())).toEqual([stored(1n)]);
  });

  it("is forgotten when others have used up the memory", async () => {
    const { once, writes } = setUp(4);
    for (const key of ["a", "b", "c", "a"]) await once(call({ key }));
    expect(writes()).toBe(4);
  });
});
