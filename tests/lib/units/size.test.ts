import fc from "fast-check";
import { formatSize, parseSize } from "../../../src/lib/units.ts";

describe("parseSize", () => {
  it.each([
    ["4mb", 4 * 1024 * 1024],
    ["1kb", 1024],
    ["2GB", 2 * 1024 ** 3],
    ["1.5 kb", 1536],
    ["100b", 100],
    ["100", 100],
    [100, 100],
  ])("reads %p", (input, bytes) => {
    expect(parseSize(input)).toBe(bytes);
  });

  it.each(["", "mb", "-1mb", "4xb", "4 mib", "4m", "1e3", "9999999999gb", Number.NaN, -1])(
    "refuses %p",
    (input) => {
      expect(parseSize(input)).toBeUndefined();
    },
  );
});

describe("formatSize", () => {
  it.each([
    [0, "0b"],
    [1_000, "1000b"],
    [4_194_304, "4mb"],
    [1_048_577, "1048577b"],
  ])("writes %p as %p", (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });

  it("writes what parseSize reads back", () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (bytes) => {
        expect(parseSize(formatSize(bytes))).toBe(bytes);
      }),
    );
  });
});
