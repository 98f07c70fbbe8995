import fc from "fast-check";
import { memberSources } from "../../../src/delivery/event-service/member-sources.ts";

describe("the sources of an object's members", () => {
  it("are the text between colon and comma, as it was written", () => {
    const json = '{ "a" : 1.50 , "b":{"c":[1,{"a":2}], "d":"}, \\"a\\": {"},"e" : 12345678901234567890}';

    expect([...memberSources(json)]).toStrictEqual([
      ["a", "1.50"],
      ["b", '{"c":[1,{"a":2}], "d":"}, \\"a\\": {"}'],
      ["e", "12345678901234567890"],
    ]);
  });

  it("are those of the last one where a name is repeated, under its name without escapes", () => {
    expect([...memberSources('{"\\u0061":1,"a":2}')]).toStrictEqual([["a", "2"]]);
    expect(memberSources(" {} ").size).toBe(0);
  });

  it("parse to what the members parse to", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom(0, 2), (object, indent) => {
        const sources = memberSources(JSON.stringify(object, null, indent));
        const parsed = Object.entries(JSON.parse(JSON.stringify(object)) as object);

        expect(
          [...sources].map(([name, source]): [string, unknown] => [name, JSON.parse(source)]),
        ).toStrictEqual([...new Map<string, unknown>(parsed)]);
      }),
    );
  });

  it("of a long string with escapes are found without running out of stack", () => {
    const value = JSON.stringify('\\"\n'.repeat(500_000));

    expect(memberSources(`{"a":${value}}`).get("a")).toHaveLength(value.length);
  });
});
