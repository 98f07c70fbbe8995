import fc from "fast-check";
import { linearPattern } from "../../../src/formats/json-schema/patterns.ts";

const TEXTS = [
  "",
  "a",
  "ab",
  "aaab",
  "😀",
  "a😀",
  "😀😀",
  "2024-01-02",
  "a.b.com",
  "a b",
  "é",
  "x\n",
  "/a/b/",
  "AB",
];

describe("a linear pattern", () => {
  it.each([
    "^[a-z0-9]{2,24}$",
    "(a|a)*b",
    "(a+)+$",
    ".*b.*",
    "^([a-z0-9-]{1,63}\\.)+[a-z]{2,}$",
    "^(?!\\s*$).+",
    "^(?=.*b)(?!x)[^c]{1,8}$",
    "^\\p{L}{1,50}$",
    "^(\\d{4})-(\\d{2})-(\\d{2})$",
    "^[\\s\\S]{0,500}$",
    "^(?:.{2}){1,2}$",
    "\\S\\D\\W",
    "^[^a]$",
    "\\ba\\b",
    "^$",
    "",
    "^/(?:[^/]+/)*$",
    "(?:a|b){3,}?b",
    "^(?<first>a)\\x62$",
  ])("means the same as the expression with the flag u: %s", (source) => {
    const pattern = linearPattern(source);
    const expected = new RegExp(source, "u");
    for (const text of TEXTS) expect([text, pattern.test(text)]).toEqual([text, expected.test(text)]);
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("a", "b", ".", "-", "1", " ", "/", "😀", "é") }),
        (text) => {
          expect(pattern.test(text)).toBe(expected.test(text));
        },
      ),
    );
  });

  it.each([
    ["(x)\\1", /linear time/],
    ["a(?=b)", /linear time/],
    ["(?<=a)b", /linear time/],
    ["^(?=a)b|c", /linear time/],
    ["^(a{1,200}){1,100}$", /linear time/],
    ["(\\p{L}+)+$", /linear time/],
    ["(", /no regular expression/],
  ])("is refused if it is not: %s", (source, reason) => {
    expect(() => linearPattern(source)).toThrow(reason);
  });

  it("takes no time that grows with the square of the text", () => {
    const text = "a".repeat(200_000);
    for (const source of ["^(a+)+$", "(a|a)*$b", "^(?!(a|aa)+$)", "a*a*a*b"]) {
      linearPattern(source).test(`${text}!`);
    }
  });
});
