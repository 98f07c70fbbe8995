import { createMemoryBudget } from "../../src/lib/memory-budget.ts";

describe("createMemoryBudget", () => {
  it("takes all of the requested bytes, or none", () => {
    const budget = createMemoryBudget(100);
    expect(budget.tryTake(60)).toBe(true);
    expect(budget.tryTake(41)).toBe(false);
    expect(budget.usedBytes).toBe(60);
    expect(budget.tryTake(40)).toBe(true);
    budget.give(100);
    expect(budget.usedBytes).toBe(0);
  });

  it("counts the bytes of a part in the whole, and limits the part too", () => {
    const whole = createMemoryBudget(100);
    const part = whole.part(50);
    expect(part.tryTake(50)).toBe(true);
    expect(part.tryTake(1)).toBe(false);
    expect(whole.usedBytes).toBe(50);
    expect(whole.tryTake(50)).toBe(true);
    part.give(20);
    expect(whole.usedBytes).toBe(80);
    expect(part.tryTake(10)).toBe(true);
  });

  it("refuses bytes of a part if the whole is used up", () => {
    const whole = createMemoryBudget(100);
    const part = whole.part(50);
    whole.tryTake(80);
    expect(part.tryTake(30)).toBe(false);
    expect(part.usedBytes).toBe(0);
    expect(whole.usedBytes).toBe(80);
  });
});
