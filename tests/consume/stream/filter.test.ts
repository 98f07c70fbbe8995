import type { ConsumedRecord } from "../../../src/broker/broker.ts";
import { ofSource, parseFilters } from "../../../src/consume/stream/filter.ts";

const record = (value: string | null, headers: ConsumedRecord["headers"] = []): ConsumedRecord => ({
  ...{ topic: "t", partition: 0, offset: 0n, timestamp: 0, key: null, headers },
  value: value === null ? null : Buffer.from(value),
});

it.each([
  ["/a==5", '{"a":5}', true],
  ["/a==5", '{"a":5.0}', true],
  ["/a==5", '{"a":"5"}', false],
  ['/a=="5"', '{"a":"5"}', true],
  ["/a==true", '{"a":true}', true],
  ["/a==created", '{"a":"created"}', true],
  ["/a==", '{"a":""}', true],
  ["/a==x==y", '{"a":"x==y"}', true],
  ["/a~1b/0==1", '{"a/b":[1]}', true],
  ["==1", "1", true],
  ['/a=={"b":[1]}', '{"a":{ "b": [1] }}', true],
  ["/a==12345678901234567890", '{"a":12345678901234567890}', true],
  ["/a==12345678901234567890", '{"a":12345678901234567891}', false],
  ["/a==null", "{}", false],
  ["/a==null", '{"a":null}', true],
  ["/a==1", "no json", false],
  ["/a==1", null, false],
])("%s and the value %s: %s", (filter, value, expected) => {
  expect(parseFilters([filter])?.(record(value))).toBe(expected);
});

it("lets an event through that all filters match", () => {
  const filter = parseFilters(["/a==1", "/b==2"]);
  expect([filter?.(record('{"a":1,"b":2}')), filter?.(record('{"a":1}'))]).toEqual([true, false]);
  expect(parseFilters([])).toBeUndefined();
});

it.each(["/a", "a==1", "/a~2==1"])("refuses %s", (filter) => {
  expect(() => parseFilters([filter])).toThrow("filter must be a JSON pointer");
});

it("selects the events of a webhook source", () => {
  const from = (source: string) => record("{}", [{ name: "x-webhook-source", value: Buffer.from(source) }]);
  const filter = ofSource("github");
  expect([from("github"), from("gitlab"), record("{}")].map(filter)).toEqual([true, false, false]);
});
