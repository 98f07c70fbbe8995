import { joinedDistinct } from "../../../src/lib/text.ts";

it("lists each text once, in the order of the first occurrences", () => {
  expect(joinedDistinct(["b", "a", "b"])).toBe("b,a");
  expect(joinedDistinct([])).toBe("");
});
