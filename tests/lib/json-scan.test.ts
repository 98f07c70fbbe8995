import fc from "fast-check";
import { membersOf } from "../../src/lib/json-scan.ts";

/** The source text of each named member; undefined: no such member. */
const sourcesOf = (json: string, ...names: string[]): (string | undefined)[] => {
  const bytes = Buffer.from(json);
  const { spans } = membersOf(bytes, bytes.indexOf("{"), names);
  return spans.map((span) => span && bytes.toString("utf8", span.at, span.end));
};

describe("membersOf", () => {
  it("returns the source text between colon and comma", () => {
    const json = '{ "a" : 1.50 , "b":{"c":[1,{"a":2}], "d":"}, \\"a\\": {"},"e" : 12345678901234567890}';

    expect(sourcesOf(json, "e", "b", "a", "c")).toStrictEqual([
      "12345678901234567890",
      '{"c":[1,{"a":2}], "d":"}, \\"a\\": {"}',
      "1.50",
      undefined,
    ]);
  });

  it("returns the last member of a repeated name, and decodes escapes in names", () => {
    expect(sourcesOf('{"\\u0061":1,"a":2}', "a")).toStrictEqual(["2"]);
    expect(sourcesOf('{"a":1,"\\u0061":2}', "a")).toStrictEqual(["2"]);
    expect(sourcesOf(" {} ", "a")).toStrictEqual([undefined]);
  });

  it("returns texts that parse to the values of the members", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(0, 2), (object, indent) => {
        const parsed = Object.entries(JSON.parse(JSON.stringify(object)) as object);
        const sources = sourcesOf(JSON.stringify(object, null, indent), ...parsed.map(([name]) => name));

        expect(sources.map((source): unknown => JSON.parse(source ?? ""))).toStrictEqual(
          parsed.map(([, value]): unknown => value),
        );
      }),
    );
  });

  it("reads a long string with escapes without a stack overflow", () => {
    const value = JSON.stringify('\\"\n'.repeat(500_000));

    expect(sourcesOf(`{"a":${value}}`, "a")[0]).toHaveLength(value.length);
  });
});
