/** The loop that every page of the console has. */
import { jest } from "@jest/globals";
import { getEventListeners } from "node:events";
import path from "node:path";

interface Trouble {
  textContent: string;
}

type Poll = (
  signal: AbortSignal,
  every: number,
  load: () => Promise<void>,
  trouble?: Trouble,
) => () => Promise<void>;

const { poll } = (await import(path.resolve("console/poll.js"))) as { poll: Poll };

const EVERY = 2000;

/** Loads that take so long, and how many were begun, and under way at the same time. */
const loadsOf = (ms: number) => {
  const seen = { begun: 0, underWay: 0, most: 0 };
  const load = async (): Promise<void> => {
    seen.begun += 1;
    seen.underWay += 1;
    seen.most = Math.max(seen.most, seen.underWay);
    await new Promise((resolve) => setTimeout(resolve, ms));
    seen.underWay -= 1;
  };
  return { seen, load };
};

describe("poll", () => {
  let view: AbortController;

  beforeEach(() => {
    jest.useFakeTimers();
    view = new AbortController();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it("waits for a slow load before the next, and ends with the view", async () => {
    const { seen, load } = loadsOf(5000);
    void poll(view.signal, EVERY, load)();
    await jest.advanceTimersByTimeAsync(3 * (5000 + EVERY));
    expect(seen).toEqual({ begun: 4, underWay: 1, most: 1 });
    expect(getEventListeners(view.signal, "abort")).toHaveLength(1);
    view.abort();
    await jest.advanceTimersByTimeAsync(60_000);
    expect(seen).toEqual({ begun: 4, underWay: 0, most: 1 });
  });

  it("loads again on request after the current load, in one loop", async () => {
    const { seen, load } = loadsOf(500);
    const now = poll(view.signal, EVERY, load);
    void now();
    await jest.advanceTimersByTimeAsync(100);
    void now();
    await jest.advanceTimersByTimeAsync(900);
    expect(seen).toEqual({ begun: 2, underWay: 0, most: 1 });
    await jest.advanceTimersByTimeAsync(2 * (500 + EVERY));
    expect(seen).toEqual({ begun: 4, underWay: 0, most: 1 });
  });

  it("shows the error of a failed load until a load succeeds", async () => {
    const trouble: Trouble = { textContent: "" };
    const answers = ["good", "bad", "good"];
    const load = (): Promise<void> =>
      answers.shift() === "bad" ? Promise.reject(new Error("refused")) : Promise.resolve();
    const now = poll(view.signal, EVERY, load, trouble);
    await now();
    expect(trouble.textContent).toBe("");
    await jest.advanceTimersByTimeAsync(EVERY);
    expect(trouble.textContent).toBe("The gateway can’t be reached.");
    await jest.advanceTimersByTimeAsync(EVERY);
    expect(trouble.textContent).toBe("");
  });

  it("does not change the message after the view has ended", async () => {
    const trouble: Trouble = { textContent: "" };
    const load = (): Promise<void> => {
      view.abort();
      return Promise.reject(new Error("aborted"));
    };
    await poll(view.signal, EVERY, load, trouble)();
    expect(trouble.textContent).toBe("");
    expect(jest.getTimerCount()).toBe(0);
  });
});
