import { GatewayError } from "../../src/errors.ts";
import { createRemembered } from "../../src/ingest/remembered.ts";
import { createMemoryBudget } from "../../src/lib/memory-budget.ts";

interface Result {
  readonly run: number;
}

const CALL = { identity: ["github", "1"], body: Buffer.from("{}") };
const BYTES = 300;
const WINDOW = 1000;

const setUp = (maxRemembered = 100) => {
  const budget = createMemoryBudget(maxRemembered * BYTES);
  let now = 1_000_000;
  let runs = 0;
  const remembered = createRemembered<Result>({ budget, now: () => now });
  return {
    once: (
      given: Partial<Parameters<typeof remembered.once>[0]> = {},
      outcome: Promise<unknown> = Promise.resolve(),
    ) =>
      remembered.once(
        { ...CALL, bytes: BYTES, ttlMs: WINDOW, toRemember: (result) => result, ...given },
        async () => {
          const result = { run: ++runs };
          await outcome;
          return result;
        },
      ),
    runs: () => runs,
    budget,
    pass: (ms: number) => {
      now += ms;
    },
  };
};

describe("createRemembered", () => {
  it("runs a call once within its window", async () => {
    const { once, pass } = setUp();
    await once();
    pass(WINDOW);
    expect(await once()).toEqual({ run: 1 });
    pass(1);
    expect(await once()).toEqual({ run: 2 });
  });

  it.each([
    { identity: ["other", "1"] },
    { identity: ["github", "2"] },
    { identity: ["github1", ""] },
    { body: Buffer.from("{} ") },
  ])("runs a call with another identity or body: %j", async (other) => {
    const { once, runs } = setUp();
    await once();
    await once(other);
    expect(runs()).toBe(2);
  });

  it("gives a repeated call the error of the call in flight", async () => {
    const { once, runs } = setUp();
    let fail = (_error: GatewayError): void => undefined;
    const running = new Promise<void>((_resolve, reject) => (fail = reject));
    const both = Promise.allSettled([once({}, running), once()]);
    fail(new GatewayError("BROKER_UNAVAILABLE"));
    expect((await both).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(runs()).toBe(1);
  });

  it("runs nothing if other users hold the memory", async () => {
    const { once, runs, budget } = setUp(2);
    budget.tryTake(500);
    await expect(once()).rejects.toMatchObject({ code: "OVERLOADED" });
    expect(runs()).toBe(0);
  });

  it("runs a call that is larger than the whole memory, and does not remember it", async () => {
    const { once, runs, budget } = setUp(2);
    await once({ bytes: 601 });
    await once({ bytes: 601 });
    expect([runs(), budget.usedBytes]).toEqual([2, 0]);
  });

  it("does not remember an error", async () => {
    const { once, runs, budget } = setUp();
    await expect(once({}, Promise.reject(new GatewayError("BROKER_UNAVAILABLE")))).rejects.toThrow();
    expect(budget.usedBytes).toBe(0);
    await once();
    expect(runs()).toBe(2);
  });

  it("does not remember a result without a value", async () => {
    const { once, runs, budget } = setUp();
    await once({ toRemember: () => undefined });
    await once({ toRemember: () => undefined });
    expect([runs(), budget.usedBytes]).toEqual([2, 0]);
  });

  it("counts the bytes of the value, more or fewer than reserved", async () => {
    const { once, budget } = setUp(2);
    const grown: boolean[] = [];
    for (const bytes of [100, 500, 700])
      await once({
        identity: [String(bytes)],
        toRemember: (result, grow) => {
          grown.push(grow(bytes));
          return result;
        },
      });
    expect(grown).toEqual([true, true, false]);
    expect(budget.usedBytes).toBe(BYTES);
  });

  it("forgets the oldest call when the memory is full", async () => {
    const { once, runs } = setUp(2);
    for (const id of ["1", "2", "3", "3", "1"]) await once({ identity: ["github", id] });
    expect(runs()).toBe(4);
  });
});
