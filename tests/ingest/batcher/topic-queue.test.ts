import { createStandingQueue } from "../../../src/ingest/batcher/topic-queue.ts";

const setUp = () => {
  let time = 0;
  const queue = createStandingQueue({ longestWaitMs: 1000, now: () => time });
  return {
    queue,
    /** So many milliseconds later somebody comes through, after a wait. */
    later: (ms: number, waitedMs: number): boolean => {
      time += ms;
      queue.cameThrough(waitedMs);
      return queue.stands;
    },
  };
};

describe("a standing queue", () => {
  it("is one where everybody has waited long for a whole second", () => {
    const { later } = setUp();

    expect([later(0, 1500), later(500, 1600), later(499, 1700), later(1, 1700)]).toStrictEqual([
      false,
      false,
      false,
      true,
    ]);
  });

  it("is none any more when somebody comes through soon, and it takes another second to be one", () => {
    const { later } = setUp();
    later(0, 1500);
    later(1000, 1500);

    expect(later(10, 1000)).toBe(false);
    expect(later(10, 1001)).toBe(false);
    expect(later(1000, 1001)).toBe(true);
  });

  it("isn't made by one long hold-up, however long", () => {
    const { queue, later } = setUp();
    later(0, 5);

    expect(later(8000, 8000)).toBe(false);
    expect(later(100, 7000)).toBe(false);
    expect(later(100, 20)).toBe(false);
    expect(queue.stands).toBe(false);
  });
});
