import { decimalSum, sameDecimal } from "../../../src/delivery/event-service/sep-bodies.ts";

it.each<[readonly unknown[], string]>([
  [["1.50", "2.5"], "4.00"],
  [["0.1", "0.2"], "0.3"],
  [["10", "-0.5"], "9.5"],
  [["-0.25"], "-0.25"],
  [["99999999999999999999.01", "0.99"], "100000000000000000000.00"],
  [[], "0"],
  [["1", undefined, "x", 3], "1"],
])("the sum of %j is %s", (texts, sum) => {
  expect(decimalSum(texts)).toBe(sum);
});

it.each<[unknown, unknown, boolean]>([
  ["1.50", "1.5", true],
  ["1", "1.01", false],
  ["-1", "1", false],
  ["x", "x", false],
  [undefined, undefined, false],
])("%p and %p are the same number: %p", (one, other, same) => {
  expect(sameDecimal(one, other)).toBe(same);
});
