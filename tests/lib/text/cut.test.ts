import { cut } from "../../../src/lib/text.ts";

it("leaves short texts alone, and ends long ones with an ellipsis", () => {
  expect(cut("abc", 3)).toBe("abc");
  expect(cut("abcd", 3)).toBe("abc…");
  expect(cut("x".repeat(5000))).toHaveLength(1001);
});

it("cuts no character in two", () => {
  expect(cut("ab😀", 3)).toBe("ab…");
});
