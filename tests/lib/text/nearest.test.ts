import { nearest } from "../../../src/lib/text.ts";

describe("nearest", () => {
  it.each([
    ["bodyLimits", ["host", "bodyLimit", "bodySize"], "bodyLimit"],
    ["BODYLIMIT", ["host", "bodyLimit"], "bodyLimit"],
    ["prot", ["host", "port"], "port"],
    ["", ["abc", "a"], "a"],
    ["anything", [], undefined],
  ])("finds for %p among %p", (word, candidates, found) => {
    expect(nearest(word, candidates)).toBe(found);
  });

  it("limits its work for a long word", () => {
    expect(nearest("x".repeat(1_000_000), ["port", "xxxx"])).toBe("xxxx");
  });
});
