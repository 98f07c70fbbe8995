import fc from "fast-check";
import { MAX_METADATA } from "../../../../src/broker/broker.ts";
import {
  createOffsetTracker,
  decodeRanges,
  encodeRanges,
  mergeRanges,
} from "../../../../src/delivery/engine/offset-tracker.ts";

const offsets = fc.uniqueArray(fc.integer({ min: 0, max: 60 }));

/** A tracker of records 0 to 60. The given records are finished. */
const trackerOf = (finished: readonly number[]) => {
  const tracker = createOffsetTracker();
  for (let offset = 0; offset <= 60; offset += 1) tracker.received(BigInt(offset), 0);
  for (const offset of finished) tracker.finished(BigInt(offset));
  return tracker;
};

describe("finished ranges beyond the position", () => {
  it("are restored from their text, in whatever order records ended", () => {
    fc.assert(
      fc.property(offsets, (finished) => {
        const tracker = trackerOf(finished);
        const position = tracker.position() ?? 0n;
        const next = createOffsetTracker();
        next.know(decodeRanges(position, encodeRanges(position, tracker.finishedRanges())));
        for (let offset = position; offset <= 60n; offset += 1n)
          expect(next.hasFinished(offset)).toBe(finished.includes(Number(offset)));
      }),
    );
  });

  it("are kept by a tracker that has read a part of them", () => {
    const tracker = createOffsetTracker();
    tracker.know([
      { first: 1n, end: 5n },
      { first: 7n, end: 9n },
    ]);
    tracker.received(0n, 0);
    tracker.passed(1n);
    tracker.passed(2n);

    expect(tracker.position()).toBe(0n);
    expect(tracker.finishedRanges()).toStrictEqual([
      { first: 1n, end: 5n },
      { first: 7n, end: 9n },
    ]);
  });

  it("have a text within the broker's limit", () => {
    const runs = Array.from({ length: 5000 }, (_, n) => ({
      first: BigInt(2 * n + 1),
      end: BigInt(2 * n + 2),
    }));
    const text = encodeRanges(0n, runs) ?? "";
    const decoded = decodeRanges(0n, text);

    expect(text.length).toBeLessThanOrEqual(MAX_METADATA);
    expect(decoded.length).toBeGreaterThan(1000);
    expect(decoded).toStrictEqual(runs.slice(0, decoded.length));
  });

  it("have no text if the list of ranges is empty", () => {
    expect(encodeRanges(7n, [])).toBeUndefined();
  });

  it.each([
    undefined,
    "",
    "f1:",
    "f1:1",
    "f1:1,2,3",
    "f2:1,2",
    "f1:1,-2",
    "f1:1,zzzzzzzzzz",
    "somebody else's",
  ])("are empty if the text has another format: %s", (text) => {
    expect(decodeRanges(7n, text)).toStrictEqual([]);
  });

  it("of two lists are merged", () => {
    const merged = mergeRanges(
      [
        { first: 1n, end: 3n },
        { first: 8n, end: 9n },
      ],
      [{ first: 3n, end: 5n }],
    );

    expect(merged).toStrictEqual([
      { first: 1n, end: 5n },
      { first: 8n, end: 9n },
    ]);
  });
});

describe("decreasing offsets", () => {
  it("belong to a new log, which has the position", () => {
    const tracker = createOffsetTracker();
    for (const offset of [500n, 501n]) tracker.received(offset, 0);
    tracker.finished(501n);
    tracker.received(0n, 0);
    tracker.received(1n, 0);
    tracker.finished(0n);

    expect(tracker.position()).toBe(1n);
  });
});
