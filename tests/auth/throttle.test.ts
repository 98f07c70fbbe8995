import { jest } from "@jest/globals";
import { createFailureMemory, createFailureThrottle } from "../../src/auth/throttle.ts";
import { createClock, failureOf } from "./support.ts";

const setUp = (options = {}) => {
  const clock = createClock();
  const throttle = createFailureThrottle({ limit: 3, windowMs: 60_000, now: clock.now, ...options });
  const fail = (name: string, times: number) => {
    for (let time = 0; time < times; time += 1) throttle.failed(name);
  };
  const isRefused = (name: string): boolean => {
    try {
      throttle.check(name);
      return false;
    } catch {
      return true;
    }
  };
  return { clock, throttle, fail, isRefused };
};

describe("failure throttle", () => {
  it("refuses after the last allowed failure, with the time to wait", async () => {
    const { clock, throttle, fail, isRefused } = setUp();
    fail("ann", 2);
    clock.advance(10_000);
    expect(isRefused("ann")).toBe(false);
    fail("ann", 1);
    const refusal = await failureOf(() => {
      throttle.check("ann");
    });
    expect(refusal).toMatchObject({ code: "LOGIN_THROTTLED", status: 429, retryAfter: 50 });
    clock.advance(49_999);
    expect(isRefused("ann")).toBe(true);
    clock.advance(1);
    expect(isRefused("ann")).toBe(false);
  });

  it("allows at most the limit in any minute", () => {
    const { clock, throttle, isRefused } = setUp();
    const failed: number[] = [];
    for (let second = 0; second < 600; second += 7) {
      if (!isRefused("ann")) {
        throttle.failed("ann");
        failed.push(clock.now());
      }
      clock.advance(7000);
    }
    for (const end of failed)
      expect(failed.filter((time) => time > end - 60_000 && time <= end).length).toBeLessThan(4);
    expect(failed.length).toBeGreaterThan(20);
  });

  it("counts each name separately", () => {
    const { fail, isRefused } = setUp();
    fail("ann", 3);
    expect(isRefused("ann")).toBe(true);
    expect(isRefused("bob")).toBe(false);
  });

  it("forgets the name with the oldest failure above the maximum number of names", () => {
    const { fail, isRefused } = setUp({ failures: createFailureMemory(2) });
    fail("ann", 3);
    fail("bob", 3);
    fail("cid", 3);
    expect(["ann", "bob", "cid"].map(isRefused)).toEqual([false, true, true]);
  });

  it("ignores changes of the wall clock", () => {
    const throttle = createFailureThrottle({ limit: 1, windowMs: 60_000 });
    const day = jest.spyOn(Date, "now").mockReturnValue(0);
    throttle.failed("ann");
    day.mockReturnValue(3_600_000);
    expect(() => {
      throttle.check("ann");
    }).toThrow("Too many");
    day.mockRestore();
  });
});
