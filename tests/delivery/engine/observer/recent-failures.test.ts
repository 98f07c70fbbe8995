import {
  type AttemptOutcome,
  createRecentFailures,
  newestOf,
} from "../../../../src/delivery/engine/observer.ts";

const report = (offset: number, outcome: AttemptOutcome = "dropped") => ({
  ...{ connector: "crm", topic: "orders", partition: 0, offset: BigInt(offset), attempt: 1, outcome },
  ...{ status: 500, error: undefined, durationMs: 1, retryInMs: undefined },
});

/** The recent failures of a process with failed attempts at these times. */
const failedAt = (...times: readonly number[]) => {
  let now = 0;
  const failures = createRecentFailures(() => now);
  for (const at of times) {
    now = at;
    failures.attempted(report(at));
  }
  return failures.of("crm");
};

const times = (from: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, index) => from + 2 * index);

describe("recent failures", () => {
  it("are the newest 20 failed attempts, newest first", () => {
    const failures = createRecentFailures(() => 0);
    failures.attempted(report(99, "delivered"));
    for (let offset = 0; offset < 25; offset++) failures.attempted(report(offset));

    expect(failures.of("crm").map(({ offset }) => Number(offset))).toStrictEqual(
      Array.from({ length: 20 }, (_, index) => 24 - index),
    );
    expect(failures.of("another")).toStrictEqual([]);
  });

  it("of several processes are merged by time", () => {
    const merged = newestOf([failedAt(1, 4), failedAt(2, 3), []]);

    expect(merged.map(({ at }) => at)).toStrictEqual([4, 3, 2, 1]);
  });

  it("of several processes are limited to the number of one process", () => {
    const merged = newestOf([failedAt(...times(1, 20)), failedAt(...times(2, 20))]);

    expect(merged.map(({ at }) => at)).toStrictEqual(Array.from({ length: 20 }, (_, index) => 40 - index));
  });
});
