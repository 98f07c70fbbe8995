import { cut } from "../../../src/lib/text.ts";

it("returns short texts unchanged, and ends a shortened text with an ellipsis", () => {
  expect(cut("abc", 3)).toBe("abc");
  expect(cut("abcd", 3)).toBe("abc…");
  expect(cut("x".repeat(5000))).toHaveLength(1001);
});

it("does not cut a surrogate pair", () => {
  expect(cut("ab😀", 3)).toBe("ab…");
});
