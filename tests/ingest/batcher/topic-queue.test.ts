import { createStandingQueue } from "../../../src/ingest/batcher/topic-queue.ts";

const setUp = () => {
  let time = 0;
  const queue = createStandingQueue({ longestWaitMs: 1000, now: () => time });
  return {
    queue,
    /** Advances the time by `ms`. Then a call leaves the queue that has waited `waitedMs`. Returns whether the queue stands. */
    later: (ms: number, waitedMs: number): boolean => {
      time += ms;
      queue.cameThrough(waitedMs);
      return queue.stands();
    },
  };
};

describe("a standing queue", () => {
  it("is detected if every call has waited long for a whole second", () => {
    const { later } = setUp();

    expect([later(0, 1500), later(500, 1600), later(499, 1700), later(1, 1700)]).toStrictEqual([
      false,
      false,
      false,
      true,
    ]);
  });

  it("ends when a call has waited only shortly, and is detected again after another second", () => {
    const { later } = setUp();
    later(0, 1500);
    later(1000, 1500);

    expect(later(10, 1000)).toBe(false);
    expect(later(10, 1001)).toBe(false);
    expect(later(1000, 1001)).toBe(true);
  });

  it("is not detected after a single long wait", () => {
    const { queue, later } = setUp();
    later(0, 5);

    expect(later(8000, 8000)).toBe(false);
    expect(later(100, 7000)).toBe(false);
    expect(later(100, 20)).toBe(false);
    expect(queue.stands()).toBe(false);
  });
});
