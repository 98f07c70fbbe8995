import fc from "fast-check";
import { GatewayError } from "../../src/errors.ts";
import { createKeyOf } from "../../src/ingest/incoming-event.ts";

const keyOf = (pointer: string, event: string): string | null =>
  createKeyOf(pointer)(Buffer.from(event))?.toString() ?? null;

describe("createKeyOf", () => {
  it.each([
    ["/orderId", '{"orderId":"o-1"}', "o-1"],
    ["/orderId", ' { "a" : [ {"orderId":1} ] , "orderId" : "o-1" } ', "o-1"],
    ["/orderId", '{"orderId":""}', ""],
    ["/id", '{"id":"caf\\u00e9 \\"\\u{1f600}"}'.replace("\\u{1f600}", "\u{1f600}"), 'café "\u{1f600}'],
    ["/id", '{"id":12345678901234567890}', "12345678901234567890"],
    ["/id", '{"id":-1.50e+03}', "-1.50e+03"],
    ["/id", '{"id":7 \n}', "7"],
    ["/a/b/c", '{"a":{"b":{"c":1}}}', "1"],
    ["/items/1/sku", '{"items":[{"sku":"x"},{"sku":"y"}]}', "y"],
    ["/0", '["x"]', "x"],
    ["/a~1b/~0", '{"a/b":{"~":"t"}}', "t"],
    ["/café", '{"caf\\u00e9":1}', "1"],
    ["/id", '{"id":1,"id":2}', "2"],
    ["/a/b", '{"a":{"b":1},"a":{}}', null],
    ["/id", '{"x":"{\\"id\\":1}","id":"right"}', "right"],
    ["/", '{"":"empty name"}', "empty name"],
    ["/id", '{"id":null}', null],
    ["/id", "{}", null],
    ["/id", "[]", null],
    ["/id", '"id"', null],
    ["/id/x", '{"id":"s"}', null],
    ["/01", '["a","b"]', null],
    ["/-", '["a"]', null],
    ["/2", '["a"]', null],
    ["/__proto__", "{}", null],
  ])("%s of %s is %j", (pointer, event, key) => {
    expect(keyOf(pointer, event)).toBe(key);
  });

  it.each(['{"id":{}}', '{"id":[1]}', '{"id":true}', '{"id":false}'])("refuses %s", (event) => {
    expect(() => keyOf("/id", event)).toThrow(new GatewayError("KEY_REFUSED"));
  });

  it("agrees with JSON.parse for every value of every event", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(0, 2), (value, indent) => {
        const event = JSON.stringify(value, null, indent);
        for (const [pointer, found] of leavesOf(JSON.parse(event), "")) {
          const expected = typeof found === "string" ? Buffer.from(found).toString() : JSON.stringify(found);
          expect(keyOf(pointer, event)).toBe(found === null ? null : expected);
        }
      }),
    );
  });
});

/** Every string, number and null below the root, with its JSON pointer. */
const leavesOf = (value: unknown, pointer: string): [string, string | number | null][] => {
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).flatMap(([name, child]) =>
      leavesOf(child, `${pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`),
    );
  }
  return pointer === "" || typeof value === "boolean" ? [] : [[pointer, value as string | number | null]];
};
