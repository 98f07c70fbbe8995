import { oneLine, refusalAt } from "../../src/formats/refusal.ts";

it("names the format, the escaped pointer and the reason", () => {
  expect(refusalAt("avro", ["lines", 0, "a/b~c"], "expected int").message).toBe(
    "avro: '/lines/0/a~1b~0c': expected int",
  );
  expect(refusalAt("protobuf", [], "nested too deeply").message).toBe("protobuf: '': nested too deeply");
});

it("stays one line, whatever the names of members are", () => {
  expect(refusalAt("avro", ["a\nb\u2028"], "unknown").message).toBe("avro: '/a\\nb\\u2028': unknown");
  expect(oneLine("x".repeat(12), 10)).toBe(`${"x".repeat(10)}…`);
});
