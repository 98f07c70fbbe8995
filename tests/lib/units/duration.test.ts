import fc from "fast-check";
import { formatDuration, parseDuration } from "../../../src/lib/units.ts";

describe("parseDuration", () => {
  it.each([
    ["500ms", 500],
    ["10s", 10_000],
    ["15m", 900_000],
    ["5h", 18_000_000],
    ["30d", 2_592_000_000],
    ["1.5h", 5_400_000],
    ["10 S", 10_000],
    ["1500", 1_500],
    [1_500, 1_500],
    [0, 0],
  ])("reads %p", (input, milliseconds) => {
    expect(parseDuration(input)).toBe(milliseconds);
  });

  it.each([
    "",
    "s",
    "-1s",
    "1 week",
    "1s2",
    "0x10",
    "1e3s",
    "10s ",
    "999999999999999d",
    Number.NaN,
    -1,
    Infinity,
  ])("refuses %p", (input) => {
    expect(parseDuration(input)).toBeUndefined();
  });
});

describe("formatDuration", () => {
  it.each([
    [0, "0ms"],
    [1_500, "1500ms"],
    [10_000, "10s"],
    [900_000, "15m"],
    [86_400_000, "1d"],
  ])("writes %p as %p", (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });

  it("writes what parseDuration reads back", () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (milliseconds) => {
        expect(parseDuration(formatDuration(milliseconds))).toBe(milliseconds);
      }),
    );
  });
});
