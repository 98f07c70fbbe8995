import { endOf, ofPartition, withinLog } from "../../src/consume/marks.ts";

const mark = { partition: 1, low: 5n, high: 9n };

it("finds a partition, or throws PARTITION_UNKNOWN", () => {
  expect(ofPartition([{ partition: 0 }, mark], 1)).toBe(mark);
  expect(() => ofPartition([mark], 0)).toThrow(
    expect.objectContaining({ code: "PARTITION_UNKNOWN" }) as Error,
  );
});

it("knows both ends, and which offsets can be read", () => {
  expect([endOf(mark, "earliest"), endOf(mark, "latest")]).toEqual([5n, 9n]);
  expect([4n, 5n, 9n, 10n].map((offset) => withinLog(mark, offset))).toEqual([5n, 5n, 9n, undefined]);
});
