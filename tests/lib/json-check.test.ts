import fc from "fast-check";
import { createJsonChecker } from "../../src/lib/json-check.ts";

/** True if the checker accepts the text in chunks of this size. */
const accepts = (text: string, chunkBytes = Infinity): boolean => {
  const bytes = Buffer.from(text);
  const checker = createJsonChecker();
  let end = 0;
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    if (checker.state === "complete") break;
    const chunk = bytes.subarray(at, Math.min(bytes.length, at + chunkBytes));
    end = at + checker.read(chunk, 0);
  }
  checker.end();
  return checker.state === "complete" && bytes.subarray(end).toString().trim() === "";
};

const parses = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

describe("createJsonChecker", () => {
  it("agrees with JSON.parse on short texts of JSON characters", () => {
    const characters = fc.constantFrom(...Array.from('{}[]:,"\\ \n0123.eE+-truefalsn\u0001ax/uA\u00e9'));
    const text = fc.array(characters, { maxLength: 12 }).map((all) => all.join(""));
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 5 }), (given, chunkBytes) => {
        expect([given, accepts(given)]).toEqual([given, parses(given)]);
        expect([given, accepts(given, chunkBytes)]).toEqual([given, parses(given)]);
      }),
      { numRuns: 3000 },
    );
  });

  it("accepts the output of JSON.stringify in chunks of any size", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(2), fc.integer({ min: 1, max: 9 }), (value, indent, chunkBytes) => {
        expect(accepts(JSON.stringify(value, null, indent), chunkBytes)).toBe(true);
      }),
    );
  });

  it.each([
    "01",
    "1.",
    ".5",
    "-",
    "1e",
    "[1,]",
    '{"a":1,}',
    "{a:1}",
    "{'a':1}",
    "[1 2]",
    '{"a" 1}',
    "tru",
    "nul",
    '"\\x"',
    '"\\u12g4"',
    '"\n"',
    "[}",
    "{]",
    "",
    " ",
  ])("refuses %j", (text) => {
    expect(accepts(text)).toBe(parses(text));
  });

  it("returns the offset of the end or of the first wrong byte", () => {
    const checker = createJsonChecker();
    expect(checker.read(Buffer.from(' {"a":[1]} {}'), 0)).toBe(10);
    expect(checker.state).toBe("complete");
    checker.reset();
    expect(checker.read(Buffer.from('{ value": 1}'), 0)).toBe(2);
    expect(checker.state).toBe("wrong");
  });

  it("reports the nesting depth of a text", () => {
    const checker = createJsonChecker();
    checker.read(Buffer.from(`${"[".repeat(100_000)}${"]".repeat(100_000)}`), 0);
    expect([checker.state, checker.deepest]).toEqual(["complete", 100_000]);
  });
});
