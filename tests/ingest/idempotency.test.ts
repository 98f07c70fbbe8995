import { type ErrorCode, GatewayError } from "../../src/errors.ts";
import { createIdempotency, type IdempotentCall } from "../../src/ingest/idempotency.ts";
import type { EventOutcome } from "../../src/ingest/produce.ts";
import { createRemembered } from "../../src/ingest/remembered.ts";
import { createMemoryBudget } from "../../src/lib/memory-budget.ts";

const stored = (offset: bigint): EventOutcome => ({ status: "stored", partition: 0, offset, timestamp: 1 });
const failed = (code: ErrorCode, message?: string): EventOutcome => ({
  status: "failed",
  error: new GatewayError(
    code,
    message === undefined ? {} : { message, cause: new Error("the whole event") },
  ),
});

const call = (overrides: Partial<IdempotentCall> = {}): IdempotentCall => ({
  key: "k",
  principal: "app",
  route: "/stations/:name/produce/single",
  station: "orders",
  contentType: "application/json",
  body: Buffer.from("{}"),
  events: 1,
  ...overrides,
});

/** Counts the calls of `produce`. By default each call stores at the next offset. */
const setUp = (maxBytes = 100_000, windowMs = 60_000) => {
  const whole = createMemoryBudget(2 * maxBytes);
  const budget = whole.part(maxBytes);
  const remembered = createRemembered<readonly EventOutcome[]>({ budget, now: () => performance.now() });
  const idempotency = createIdempotency({ windowMs, remembered });
  let writes = 0;
  return {
    writes: () => writes,
    once: (which: IdempotentCall, outcomes?: readonly EventOutcome[]) =>
      idempotency.once(which, () => {
        writes++;
        return Promise.resolve(outcomes ?? [stored(BigInt(writes))]);
      }),
    idempotency,
    whole,
    budget,
  };
};

describe("a repeated call", () => {
  it("gets the outcomes of the first call without a second write", async () => {
    const { once, writes } = setUp();
    const first = await once(call());
    expect(await once(call())).toEqual(first);
    expect(writes()).toBe(1);
  });

  it.each([
    ["key", { key: "other" }],
    ["principal", { principal: "other" }],
    ["route", { route: "/stations/:name/produce/batch" }],
    ["station", { station: "other" }],
    ["content type", { contentType: "text/plain" }],
    ["body", { body: Buffer.from("{ }") }],
  ])("is another call if its %s differs", async (_, overrides) => {
    const { once, writes } = setUp();
    await once(call());
    await once(call(overrides));
    expect(writes()).toBe(2);
  });

  it("waits for the first call while it is in flight", async () => {
    const { idempotency } = setUp();
    let settle = (_: readonly EventOutcome[]): void => undefined;
    const first = idempotency.once(call(), () => new Promise((resolve) => (settle = resolve)));
    const second = idempotency.once(call(), () => Promise.reject(new GatewayError("INTERNAL")));
    settle([stored(7n)]);
    expect(await second).toEqual([stored(7n)]);
    expect(await first).toEqual([stored(7n)]);
  });

  it("gets the same refusal", async () => {
    const { once, writes } = setUp();
    await once(call(), [stored(1n), failed("SCHEMA_REFUSED")]);
    expect((await once(call()))[1]?.status).toBe("failed");
    expect(writes()).toBe(1);
  });

  it.each(["BROKER_UNAVAILABLE", "BROKER_AMBIGUOUS", "STATION_UNKNOWN", "SCHEMA_REFUSED"] as const)(
    "runs again after %s",
    async (code) => {
      const { once } = setUp();
      await once(call(), [failed(code)]);
      expect(await once(call())).toEqual([stored(2n)]);
    },
  );

  it("runs again after a call that rejected", async () => {
    const { idempotency, once } = setUp();
    const broken = idempotency.once(call(), () => Promise.reject(new GatewayError("STATION_FORBIDDEN")));
    await expect(broken).rejects.toMatchObject({ code: "STATION_FORBIDDEN" });
    expect(await once(call())).toEqual([stored(1n)]);
  });

  it.each(["STATION_UNKNOWN", "PARTITION_UNKNOWN"] as const)(
    "runs again after a temporary refusal: %s",
    async (code) => {
      const { once, writes } = setUp();
      await once(call({ events: 2 }), [stored(1n), failed(code)]);
      await once(call({ events: 2 }));
      expect(writes()).toBe(2);
    },
  );

  it("is forgotten when other calls need the memory, and releases its own", async () => {
    const { once, writes, budget } = setUp(1500);
    for (const key of ["a", "b", "c", "a"]) await once(call({ key }));
    expect(writes()).toBe(4);
    expect(budget.usedBytes).toBeLessThanOrEqual(1500);
  });

  it("remembers error texts only while there is memory, and never the cause", async () => {
    const { once, budget } = setUp(2000);
    const outcomes = [stored(1n), failed("SCHEMA_REFUSED", "x".repeat(900)), failed("SCHEMA_REFUSED", "y")];
    await once(call({ events: 3 }), outcomes);
    const again = await once(call({ events: 3 }));
    expect(again.map((outcome) => (outcome.status === "failed" ? outcome.error.message.length : 0))).toEqual([
      0, 28, 28,
    ]);
    expect(budget.usedBytes).toBeLessThanOrEqual(2000);
    const roomy = setUp();
    await roomy.once(call({ events: 3 }), outcomes);
    const [, refused] = await roomy.once(call({ events: 3 }));
    const error = refused?.status === "failed" ? refused.error : undefined;
    expect([error?.message, error?.cause]).toEqual(["x".repeat(900), undefined]);
  });

  it("is refused without storing if there is no memory for its outcomes", async () => {
    const { once, writes, whole } = setUp();
    whole.tryTake(whole.maxBytes);
    await expect(once(call())).rejects.toMatchObject({ code: "OVERLOADED", retryAfter: 1 });
    expect(writes()).toBe(0);
  });

  it("releases its reserved memory when it fails", async () => {
    const { idempotency, budget } = setUp();
    await expect(idempotency.once(call(), () => Promise.reject(new Error("x")))).rejects.toThrow("x");
    expect(budget.usedBytes).toBe(0);
  });
});
