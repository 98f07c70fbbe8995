import fc from "fast-check";
import { compileStationPatterns, isStationPattern } from "../../../src/auth/permissions.ts";

/** The equivalent regular expression of a pattern, for comparison. */
const asRegExp = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", ".*")}$`);

describe("station patterns", () => {
  it.each([
    ["*", "anything", true],
    ["orders", "orders", true],
    ["orders", "orders2", false],
    ["Orders", "orders", true],
    ["clicks-*", "clicks-web", true],
    ["clicks-*", "clicks-", true],
    ["clicks-*", "clicks", false],
    ["*-web", "clicks-web", true],
    ["a*b*c", "aXbYc", true],
    ["a*a", "a", false],
    ["a*ab", "aab", true],
    ["a*bc*c", "abc", false],
    ["a.c", "abc", false],
  ])("%s on %s: %s", (pattern, station, expected) => {
    expect(compileStationPatterns([pattern])(station)).toBe(expected);
  });

  it("an empty list matches no station", () => {
    expect(compileStationPatterns([])("orders")).toBe(false);
  });

  it("a list matches a station if one of its patterns does", () => {
    const matches = compileStationPatterns(["orders", "clicks-*"]);
    expect(["orders", "clicks-1", "other"].map(matches)).toEqual([true, true, false]);
  });

  it("agrees with the equivalent regular expression", () => {
    const text = (alphabet: string) =>
      fc
        .array(fc.constantFrom(...Array.from(alphabet)), { minLength: 1, maxLength: 12 })
        .map((letters) => letters.join(""));
    fc.assert(
      fc.property(text("ab*."), text("ab."), (pattern, station) => {
        expect(compileStationPatterns([pattern])(station)).toBe(asRegExp(pattern).test(station));
      }),
      { numRuns: 2000 },
    );
  });

  it.each(["", "a b", "a/b", "\u212Aelvin", "x".repeat(129)])("refuses %p as a pattern", (text) => {
    expect(isStationPattern(text)).toBe(false);
    expect(() => compileStationPatterns([text])).toThrow("is not a station name or pattern");
  });
});
