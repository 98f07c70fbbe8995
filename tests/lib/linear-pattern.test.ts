import { compileLinear } from "../../src/lib/linear-pattern.ts";

it.each([
  ["orders-.*", "orders-eu", true],
  ["orders-.*", "my-orders-eu", false],
  ["a|b", "ab", false],
  ["[\\w.]+", "shop.orders", true],
  ["", "a", false],
])("matches the whole text: %s, %s", (source, text, expected) => {
  expect(compileLinear(source)?.(text)).toBe(expected);
});

it("matches a pattern that backtracking engines can't match, in linear time", () => {
  expect(compileLinear("(a+)+b")?.("a".repeat(10_000))).toBe(false);
});

it.each(["(", "a)|(b", "(a)\\1", "(?=a)b", "(?<!a)b", "a{100000}"])("refuses %s", (source) => {
  expect(compileLinear(source)).toBeUndefined();
});
