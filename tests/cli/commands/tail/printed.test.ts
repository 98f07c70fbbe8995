import fc from "fast-check";
import { indented } from "../../../../src/cli/commands/tail/printed.ts";

it.each([
  ["plain text", "plain text"],
  ["17", "17"],
  ["{}", "{}"],
  ['{"a":[],"b":{}}', '{\n  "a": [],\n  "b": {}\n}'],
  ['{"n":12345678901234567890.10}', '{\n  "n": 12345678901234567890.10\n}'],
  ['["\\u0041, {\\"x\\"}",null]', '[\n  "\\u0041, {\\"x\\"}",\n  null\n]'],
])("indents %s", (text, expected) => {
  expect(indented(text)).toBe(expected);
});

it("indents any JSON like JSON.stringify, unless that rounds a number", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      fc.pre(typeof value === "object" && value !== null);
      const text = JSON.stringify(value);
      expect(indented(text)).toBe(JSON.stringify(JSON.parse(text), null, 2));
    }),
  );
});

it("does not indent text that is nested too deep", () => {
  const text = "[".repeat(30_000) + "]".repeat(30_000);
  expect(indented(text)).toBe(text);
});
