import { createDeduplicator } from "../../../src/ingest/webhooks/deduplication.ts";
import { GatewayError } from "../../../src/errors.ts";
import { createRemembered } from "../../../src/ingest/remembered.ts";
import { createMemoryBudget } from "../../../src/lib/memory-budget.ts";

const delivery = { source: "github", id: "1", body: Buffer.from("{}") };
const WINDOW = 1000;

const setUp = (maxRemembered = 100) => {
  const budget = createMemoryBudget(maxRemembered * 300);
  let now = 1_000_000;
  let stores = 0;
  const deduplicator = createDeduplicator({
    remembered: createRemembered({ budget, now: () => now }),
  });
  return {
    once: (given = delivery, outcome: Promise<void> = Promise.resolve()) =>
      deduplicator.once(given, WINDOW, () => {
        stores++;
        return outcome;
      }),
    stores: () => stores,
    budget,
    pass: (ms: number) => {
      now += ms;
    },
  };
};

describe("createDeduplicator", () => {
  it("stores a delivery once within the window", async () => {
    const { once, stores, pass } = setUp();
    await once();
    pass(WINDOW);
    await once();
    expect(stores()).toBe(1);
    pass(1);
    await once();
    expect(stores()).toBe(2);
  });

  it.each([
    { ...delivery, source: "other" },
    { ...delivery, id: "2" },
    { ...delivery, body: Buffer.from("{} ") },
  ])("tells %j from the first", async (other) => {
    const { once, stores } = setUp();
    await once();
    await once(other);
    expect(stores()).toBe(2);
  });

  it("has a repetition wait for the first one's outcome", async () => {
    const { once, stores } = setUp();
    let fail = (_error: GatewayError): void => undefined;
    const storing = new Promise<void>((_resolve, reject) => (fail = reject));
    const both = Promise.allSettled([once(delivery, storing), once()]);
    fail(new GatewayError("BROKER_UNAVAILABLE"));
    expect((await both).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(stores()).toBe(1);
  });

  it("takes nothing for which it has no memory", async () => {
    const { once, stores, budget } = setUp(2);
    budget.tryTake(500);
    await expect(once()).rejects.toMatchObject({ code: "OVERLOADED" });
    expect(stores()).toBe(0);
  });

  it("doesn't remember what failed", async () => {
    const { once, stores, budget } = setUp();
    await expect(once(delivery, Promise.reject(new GatewayError("BROKER_UNAVAILABLE")))).rejects.toThrow();
    expect(budget.usedBytes).toBe(0);
    await once();
    expect(stores()).toBe(2);
  });

  it("forgets the oldest when there are too many", async () => {
    const { once, stores } = setUp(2);
    for (const id of ["1", "2", "3", "3", "1"]) await once({ ...delivery, id });
    expect(stores()).toBe(4);
  });
});
