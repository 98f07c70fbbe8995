import { avro, avroText, hexOf, read, recordOf, refusalOf } from "./compile.ts";

const union = (...branches: unknown[]) => avro(recordOf(branches));

describe("unions", () => {
  it("take the tag first, also where the bare value fits another branch", () => {
    const schema = union({ type: "map", values: "int" }, "string");
    expect(hexOf(schema, '{"a":{"string":"x"}}')).toBe("020278");
    expect(refusalOf(schema, '{"a":{"string":5}}')).toBe(
      "avro: '/a/string': expected string, but got number",
    );
    expect(hexOf(schema, '{"a":{"other":5}}')).toBe("00020a6f746865720a00");
  });

  it("name the branches that accept a bare value", () => {
    expect(refusalOf(union("null", "int", "long"), '{"a":5}')).toBe(
      `avro: '/a': the branches int, long accept the value. Name one: {"int": …}`,
    );
    expect(hexOf(union("null", "int", "long"), '{"a":5000000000}')).toBe("0480c8afa025");
  });

  it("decide by the whole value", () => {
    const record = (name: string, type: string): object => ({ ...recordOf(type), name });
    const schema = avro({ type: "array", items: [record("A", "int"), record("B", "string")] });
    expect(hexOf(schema, '[{"a":"x"},{"a":1}]')).toBe("0402027800" + "0200");
    expect(refusalOf(schema, '[{"a":null}]')).toBe("avro: '/0': no branch accepts the value: A, B");
    expect(refusalOf(schema, '[{"B":{"a":null}}]')).toBe("avro: '/0/B/a': expected string, but got null");
  });

  it("tell the place inside the only branch that can accept the value", () => {
    expect(refusalOf(union("null", { ...recordOf("int"), name: "I" }), '{"a":{"a":"x"}}')).toBe(
      "avro: '/a/a': expected int, but got string",
    );
  });

  it("accept the tag null, and a member that only looks like a tag", () => {
    expect(hexOf(union("null", "string"), '{"a":{"null":null}}')).toBe("00");
    expect(refusalOf(union("null", "string"), '{"a":{"toString":"x"}}')).toContain("but got object");
  });

  it("take a string of NaN as ambiguous where a string is allowed too", () => {
    expect(refusalOf(union("double", "string"), '{"a":"NaN"}')).toContain("double, string");
    expect(hexOf(union("double", "string"), '{"a":"Nan"}')).toBe("02064e616e");
  });

  it("stop nested attempts that would take twice as long with each level", () => {
    const side = (name: string): object => ({
      type: "record",
      name,
      fields: [{ name: "n", type: ["null", "A", ...(name === "A" ? [] : ["B"])] }],
    });
    const schema = avro({
      type: "record",
      name: "A",
      fields: [{ name: "n", type: ["null", "A", side("B")] }],
    });
    const json = `${'{"n":'.repeat(60)}7${"}".repeat(60)}`;
    const begin = process.cpuUsage();
    expect(refusalOf(schema, json)).toContain("avro: '/n': ");
    expect(process.cpuUsage(begin).user).toBeLessThan(5_000_000);
  });

  it("read every branch, and no other index", () => {
    const schema = avro(["null", { type: "array", items: "int" }]);
    expect(read(schema, "02020200", "avro-json")).toBe('{"array":[1]}');
    expect(read(schema, "00", "avro-json")).toBe("null");
    expect(() => read(schema, "04")).toThrow("a union has no branch 2");
    expect(() => read(schema, "01")).toThrow("a union has no branch -1");
  });
});

describe("records", () => {
  const inherited = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"];
  const schema = avro({
    type: "record",
    name: "constructor",
    fields: inherited.map((name) => ({ name, type: "int" })),
  });

  it("have fields with names that every object inherits", () => {
    const json = `{${inherited.map((name, i) => `"${name}":${i}`).join(",")}}`;
    expect(hexOf(schema, json)).toBe("0002040608");
    expect(read(schema, "0002040608")).toBe(json);
    expect(refusalOf(schema, '{"__proto__":1}')).toBe(
      "avro: '/constructor': the member is missing, and the schema has no default for it",
    );
    expect(refusalOf(schema, "{}")).toContain("'/__proto__'");
  });

  it("escape the pointer, and cut a very long one", () => {
    const map = avro({ type: "map", values: "int" });
    expect(refusalOf(map, '{"a/b~c":""}')).toBe("avro: '/a~1b~0c': expected int, but got string");
    expect(refusalOf(map, `{"${"k".repeat(5000)}":""}`).length).toBeLessThan(1100);
  });

  it("refuse or drop unknown members, as the setting says", () => {
    expect(refusalOf(avro(recordOf("int")), '{"a":1,"__proto__":2}')).toBe(
      "avro: '/__proto__': the record R has no such field",
    );
    expect(hexOf(avro(recordOf("int"), { unknownFields: "drop" }), '{"b":{},"a":1}')).toBe("02");
  });

  it.each(['"x\\udc00"', '"\\ud800\\ud800"', `"${"x".repeat(100)}\\ud800"`])(
    "refuse half a pair in %s",
    (json) => {
      expect(refusalOf(avro(recordOf("string")), `{"a":${json}}`)).toContain("half a surrogate pair");
      expect(refusalOf(avro({ type: "map", values: "null" }), `{${json}:null}`)).toContain(
        "half a surrogate pair",
      );
    },
  );
});

describe("defaults", () => {
  it.each([
    [["null", "string"], "x", "020278"],
    [["string", "null"], null, "02"],
    [["null", { ...recordOf(["int", "string"]), name: "N" }], { a: "x" }, "02020278"],
    [{ type: "enum", name: "E", symbols: ["constructor"] }, "constructor", "00"],
    [{ ...recordOf("int", { default: 7 }), name: "N" }, {}, "0e"],
  ] as [unknown, unknown, string][])("of type %j: %j", (type, value, hex) => {
    const schema = avro(recordOf(type, { default: value }));
    expect(hexOf(schema, "{}")).toBe(hex);
  });

  it("that do not fit count as none", () => {
    expect(refusalOf(avro(recordOf("int", { default: "x" })), "{}")).toContain("has no default");
    const self = { type: "record", name: "S", fields: [{ name: "s", type: "S", default: {} }] };
    expect(refusalOf(avro(self), "{}")).toContain("'/s': the member is missing");
  });

  it("keep their digits", () => {
    const text = '{"type":"record","name":"R","fields":[{"name":"a","type":"long","default":DIGITS}]}';
    expect(hexOf(avroText(text.replace("DIGITS", "9223372036854775807")), "{}")).toBe("feffffffffffffffff01");
  });
});
