import { createBackOff } from "../../src/cluster/worker-slot.ts";

describe("the back-off of a worker slot", () => {
  it("doubles with each short life in a row, up to 30 s", () => {
    const backOff = createBackOff();
    const waits = Array.from({ length: 10 }, () => backOff.next(100));

    expect(waits).toStrictEqual([200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
  });

  it("is reset after a long life", () => {
    const backOff = createBackOff();
    backOff.next(100);
    backOff.next(100);

    expect(backOff.next(60_000)).toBe(200);
    expect(backOff.next(100)).toBe(200);
    expect(backOff.next(100)).toBe(400);
  });
});
