import { parseProperties } from "../../src/lib/properties.ts";

const parse = (text: string) => Object.fromEntries(parseProperties(text));

it.each<[string, Record<string, string>]>([
  ["a=1\nb = 2\r\n  c:3\rd 4", { a: "1", b: "2", c: "3", d: "4" }],
  ["# a=1\n! b=2\n\n  \nc=3", { c: "3" }],
  ["token=a=b:c d ", { token: "a=b:c d " }],
  ["empty\nblank=", { empty: "", blank: "" }],
  ["k\\=e\\:y\\ s=v", { "k=e:y s": "v" }],
  ["a=one,\\\n   two\nb=x\\\\\nc=\\u00e9\\t\\q", { a: "one,two", b: "x\\", c: "é\tq" }],
  ["a=1\na=2", { a: "2" }],
  ["a=x\\\n# no comment", { a: "x# no comment" }],
])("reads %j", (text, entries) => {
  expect(parse(text)).toStrictEqual(entries);
});
