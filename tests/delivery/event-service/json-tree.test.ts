import { jsonTextOf, jsonTreeAt } from "../../../src/delivery/event-service/json-tree.ts";

const through = (text: string): string => jsonTextOf(jsonTreeAt(Buffer.from(text), 0));

it.each([
  ["keeps the order of members", '{"10":1,"2":{"b":[],"a":{}}}', '{"10":1,"2":{"b":[],"a":{}}}'],
  ["keeps the digits of numbers", "[1.50,12345678901234567890,-0,1e3]", "[1.50,12345678901234567890,-0,1e3]"],
  ["leaves out members that are null, not elements", '{"a":null,"b":[null,true]}', '{"b":[null,true]}'],
  ["leaves out a member whose last value is null", '{"a":1,"a":null}', "{}"],
  ["removes white space", ' { "a" : [ 1 , 2 ] } '.trim(), '{"a":[1,2]}'],
  ["escapes no more than it must", '"\\u003c\\/\\u00e9<&>\'="', '"</é<&>\'="'],
  [
    "escapes line separators and control characters",
    '"\\u2028\\u2029\\u001f\\t"',
    '"\\u2028\\u2029\\u001f\\t"',
  ],
])("%s", (_, given, printed) => {
  expect(through(given)).toBe(printed);
});
