import { Undecodable } from "../../../src/formats/format.ts";
import { avro, read, recordOf } from "./compile.ts";

const list = { type: "record", name: "L", fields: [{ name: "n", type: ["null", "L"] }] };

describe("a payload", () => {
  it.each([
    ["boolean", "02", "a boolean of byte 2"],
    ["int", "8080808010", "an int of more than 32 bits"],
    ["int", "80808080808080808001", "an int of more than 32 bits"],
    ["long", "ffffffffffffffffff02", "an integer of more than 64 bits"],
    ["long", "8080808080808080808000", "an integer of more than 64 bits"],
    ["long", "80", "ends too early"],
    ["double", "00000000000000", "ends too early"],
    ["float", "", "ends too early"],
    ["string", "01", "a negative length"],
    ["bytes", "ffffffffffffffffff01", "a negative length"],
    ["string", "feffffffffffffffff01", "ends too early"],
    ["string", "0261" + "00", "bytes are left over"],
    ["string", "02ff", "not UTF-8"],
    ["string", "06eda080", "not UTF-8"],
    [{ type: "map", values: "null" }, "0202ff00", "not UTF-8"],
    [{ type: "enum", name: "E", symbols: ["A"] }, "02", "has no symbol 1"],
    [{ type: "enum", name: "E", symbols: ["A"] }, "01", "has no symbol -1"],
    [{ type: "fixed", name: "F", size: 2 ** 40 }, "00", "ends too early"],
    [{ type: "array", items: "null" }, "80897a", "ends too early"],
    [{ type: "array", items: "null" }, "8094ebdc0300", "more than 1000000 values"],
    [
      { type: "array", items: { type: "fixed", name: "F", size: 0 } },
      "ffffffffffffffffff0102",
      "more than 1000000 values",
    ],
    [{ type: "array", items: "int" }, "010100", "a negative length"],
  ])("of %j: %s is refused", (schema, hex, reason) => {
    expect(() => read(avro(schema), hex)).toThrow(Undecodable);
    expect(() => read(avro(schema), hex)).toThrow(reason);
  });

  it("may divide arrays and maps into blocks, with and without their sizes", () => {
    expect(read(avro({ type: "array", items: "int" }), "0202" + "0304" + "0406" + "00")).toBe("[1,2,3]");
    expect(read(avro({ type: "map", values: "int" }), "02026102" + "0106026204" + "00")).toBe(
      '{"a":1,"b":2}',
    );
  });

  it("may have varints that are longer than needed", () => {
    expect(read(avro("long"), "8200")).toBe("1");
    expect(read(avro("long"), "82808080808080808000")).toBe("1");
  });

  it("is refused below the maximum depth", () => {
    expect(read(avro(list, { maxDepth: 3 }), "020200")).toBe('{"n":{"n":{"n":null}}}');
    expect(() => read(avro(list, { maxDepth: 2 }), "020200")).toThrow("nested too deeply");
    const endless = { type: "record", name: "E", fields: [{ name: "e", type: "E" }] };
    expect(() => read(avro(endless), "")).toThrow("nested too deeply");
    expect(() => read(avro(list, { maxDepth: 1e9 }), "02".repeat(1_000_000))).toThrow(Undecodable);
  });

  it("counts the values of records without bytes", () => {
    const nulls = {
      type: "record",
      name: "N",
      fields: Array.from({ length: 20 }, (_, i) => ({ name: `f${i}`, type: "null" })),
    };
    expect(() => read(avro({ type: "array", items: nulls }), "c0843d00")).toThrow("more than 1000000 values");
  });

  it("is written with escapes where JSON needs them", () => {
    const text = 'a"\\\u0000\n\u007f\u2028ä😀';
    const bytes = Buffer.from(text);
    expect(
      read(avro("string"), (bytes.length * 2).toString(16).padStart(2, "0") + bytes.toString("hex")),
    ).toBe(JSON.stringify(text));
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    expect(JSON.parse(read(avro("bytes"), `8004${all.toString("hex")}`))).toBe(all.toString("latin1"));
  });

  it("keeps the digits of 64-bit integers", () => {
    for (const digits of [
      "9223372036854775807",
      "-9223372036854775808",
      "281474976710656",
      "-562949953421312",
    ]) {
      const schema = avro(recordOf("long"));
      const payload = schema.encode(Buffer.from(`{"a":${digits}}`), 1).subarray(5);
      expect(schema.decode(payload, "json").toString()).toBe(`{"a":${digits}}`);
    }
  });
});
