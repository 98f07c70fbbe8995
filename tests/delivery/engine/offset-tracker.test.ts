import fc from "fast-check";
import { createOffsetTracker } from "../../../src/delivery/engine/offset-tracker.ts";

describe("the position", () => {
  it("is unknown before the first record", () => {
    expect(createOffsetTracker().position()).toBeUndefined();
  });

  it("never passes an unfinished record, and skips gaps", () => {
    const tracker = createOffsetTracker();
    for (const offset of [3n, 4n, 9n]) tracker.received(offset, Number(offset) * 10);
    tracker.finished(4n);

    expect(tracker.position()).toBe(3n);
    expect(tracker.oldest()).toBe(30);

    tracker.finished(3n);

    expect(tracker.position()).toBe(9n);

    tracker.finished(9n);

    expect(tracker.position()).toBe(10n);
    expect(tracker.oldest()).toBeUndefined();
  });

  it("distinguishes finished offsets from offsets that were never received", () => {
    const tracker = createOffsetTracker();
    tracker.received(3n, 0);
    tracker.received(4n, 0);
    tracker.finished(3n);

    expect([2n, 3n, 4n, 5n].map((offset) => tracker.hasFinished(offset))).toStrictEqual([
      false,
      true,
      false,
      false,
    ]);
  });

  it("is the lowest open offset, in whatever order records end", () => {
    const order = fc.uniqueArray(fc.integer({ min: 0, max: 30 }));
    fc.assert(
      fc.property(order, (finished) => {
        const tracker = createOffsetTracker();
        const all = Array.from({ length: 31 }, (_, offset) => offset);
        for (const offset of all) tracker.received(BigInt(offset), 0);
        for (const offset of finished) tracker.finished(BigInt(offset));
        const open = all.filter((offset) => !finished.includes(offset));

        expect(tracker.position()).toBe(BigInt(open[0] ?? 31));
      }),
    );
  });
});
