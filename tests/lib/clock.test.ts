import { getEventListeners } from "node:events";
import { atMost, createClock, pause, type StartTimer } from "../../src/lib/clock.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const DAY = 86_400_000;
const LONGEST = 2 ** 31 - 1;

/** Timers that the test fires with `elapse`. `asked` has their lengths. */
const createTimers = () => {
  const asked: number[] = [];
  const running = new Set<() => void>();
  const start: StartTimer = (action, ms) => {
    asked.push(ms);
    running.add(action);
    return { stop: () => void running.delete(action) };
  };
  const elapse = (): void => {
    for (const action of [...running]) {
      running.delete(action);
      action();
    }
  };
  return { asked, start, elapse, pending: () => running.size };
};

describe("createClock", () => {
  it.each([
    ["a second", 1000, [1000]],
    ["the longest timer", LONGEST, [LONGEST]],
    ["30 days", 30 * DAY, [LONGEST, 30 * DAY - LONGEST]],
    ["60 days", 60 * DAY, [LONGEST, LONGEST, 60 * DAY - 2 * LONGEST]],
  ])("waits %s with timers that Node supports", (_, ms, parts) => {
    const timers = createTimers();
    let calls = 0;
    createClock(timers.start).after(ms, () => (calls += 1));
    for (const part of parts) {
      expect(calls).toBe(0);
      expect(timers.asked.at(-1)).toBe(part);
      timers.elapse();
    }
    expect(calls).toBe(1);
    expect(timers.asked).toEqual(parts);
  });

  it("cancels a wait in each of its timers", () => {
    const timers = createTimers();
    let calls = 0;
    const cancel = createClock(timers.start).after(60 * DAY, () => (calls += 1));
    timers.elapse();
    cancel();
    expect(timers.pending()).toBe(0);
    expect(calls).toBe(0);
  });
});

describe("pause", () => {
  it("resolves after its time", async () => {
    const clock = createFakeClock();
    const paused = pause(clock, 30 * DAY);
    await clock.pending(30 * DAY);
    clock.advance(30 * DAY);
    await paused;
  });

  it("resolves when the signal is aborted, before or during the wait", async () => {
    const clock = createFakeClock();
    const interruption = new AbortController();
    const paused = pause(clock, 30 * DAY, interruption.signal);
    interruption.abort();
    await paused;
    await pause(clock, 30 * DAY, interruption.signal);
  });
});

describe("atMost", () => {
  it("settles as the work does, and cancels the timer", async () => {
    const timers = new Set<object>();
    const clock = createClock((action) => {
      const timer = { action };
      timers.add(timer);
      return { stop: () => timers.delete(timer) };
    });
    expect(await atMost(clock, DAY, Promise.resolve("done"))).toBe("done");
    expect(await atMost(clock, DAY, "at once")).toBe("at once");
    await expect(atMost(clock, DAY, Promise.reject(new Error("failed")))).rejects.toThrow("failed");
    expect(timers.size).toBe(0);
  });

  it("resolves to undefined after the time", async () => {
    const clock = createFakeClock();
    const result = atMost(clock, 1000, new Promise<string>(() => undefined));
    clock.advance(1000);
    expect(await result).toBeUndefined();
  });

  it("resolves to undefined when the signal is aborted, and leaves no listener and no timer", async () => {
    const clock = createFakeClock();
    const stop = new AbortController();
    const result = atMost(clock, 1000, new Promise<string>(() => undefined), stop.signal);
    stop.abort();
    expect(await result).toBeUndefined();
    expect(await atMost(clock, 1000, new Promise<string>(() => undefined), stop.signal)).toBeUndefined();
    const other = new AbortController();
    await atMost(clock, 1000, "done", other.signal);
    expect(getEventListeners(other.signal, "abort")).toEqual([]);
  });
});
