import { Undecodable } from "../../../src/formats/format.ts";
import { avro, hexOf, read, recordOf, refusalOf } from "./compile.ts";

describe("compileAvro", () => {
  it("frames the payload with byte 0 and the id", () => {
    expect(
      avro("int")
        .encode(Buffer.from("1"), 2 ** 31 - 1)
        .toString("hex"),
    ).toBe("007fffffff02");
  });

  it.each([
    ["a record", { type: "record", name: "Order", namespace: "shop", fields: [] }, "shop.Order"],
    ["an enum", { type: "enum", name: "E", symbols: [] }, "E"],
    ["a primitive", "string", undefined],
    ["a union", ["null", "string"], undefined],
  ])("tells the name of %s", (_, schema, name) => {
    expect(avro(schema).name).toBe(name);
  });

  it("returns buffers that the next call does not change", () => {
    const schema = avro("string");
    const first = schema.encode(Buffer.from('"aa"'), 1);
    const text = schema.decode(Buffer.from("046161", "hex"), "json");
    schema.encode(Buffer.from('"bb"'), 1);
    schema.decode(Buffer.from("046262", "hex"), "json");
    expect(first.toString("hex")).toBe("0000000001046161");
    expect(text.toString()).toBe('"aa"');
  });

  it("refuses an event whose payload could not be read again", () => {
    const schema = avro(
      { type: "record", name: "R", fields: [{ name: "a", type: "string", default: "x".repeat(100) }] },
      { maxBytes: 50 },
    );
    expect(refusalOf(schema, "{}")).toBe("avro: '': the encoded value is too large");
  });

  it("stops while it writes, when many defaults make a small event large", () => {
    const item = recordOf("string", { default: "x".repeat(100_000) });
    const schema = avro({ type: "array", items: item });
    expect(refusalOf(schema, `[${"{},".repeat(90_000)}{}]`)).toBe("avro: '': the encoded value is too large");
  });

  it("reads no payload above the maximum size", () => {
    const schema = avro("string", { maxBytes: 4 });
    expect(() => schema.decode(Buffer.from("0861616161", "hex"), "json")).toThrow(Undecodable);
  });

  it("writes no JSON of more than 8 times the maximum size", () => {
    const schema = avro(
      { type: "array", items: { type: "enum", name: "E", symbols: ["x".repeat(1000)] } },
      { maxBytes: 1000 },
    );
    expect(() => schema.decode(Buffer.from(`a00f${"00".repeat(501)}`, "hex"), "json")).toThrow(
      "avro: the JSON has more than 8000 bytes",
    );
  });

  it("refuses an event that is nested deeper than the stack allows", () => {
    const list = { type: "record", name: "L", fields: [{ name: "n", type: ["null", "L"] }] };
    const schema = avro(list, { maxDepth: 1_000_000 });
    const json = `${'{"n":'.repeat(100_000)}null${"}".repeat(100_000)}`;
    expect(refusalOf(schema, json)).toBe("avro: '': the event is nested too deeply");
  });

  it("reads and writes after an event was refused", () => {
    const schema = avro(recordOf("int"));
    expect(refusalOf(schema, '{"a":"x"}')).toBe("avro: '/a': expected int, but got string");
    expect(hexOf(schema, '{"a":1}')).toBe("02");
    expect(read(schema, "02")).toBe('{"a":1}');
  });
});
