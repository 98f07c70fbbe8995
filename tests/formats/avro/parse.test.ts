import { SchemaUnusable } from "../../../src/formats/format.ts";
import { avro, avroText, hexOf, read, recordOf } from "./compile.ts";

const named = (name: string, more: object = {}): object => ({ type: "fixed", name, size: 1, ...more });
const fieldsOf = (...types: unknown[]): object[] => types.map((type, i) => ({ name: `f${i}`, type }));

describe("names in a schema", () => {
  it("without a namespace belong to the namespace around them, or else to none", () => {
    const schema = avro({
      type: "record",
      name: "a.b.R",
      fields: fieldsOf(
        ["null", named("F")],
        ["null", named("G", { namespace: "" })],
        ["null", named("x.H", { namespace: "ignored" })],
        ["null", "F"],
        ["null", "a.b.F"],
        ["null", "G"],
        ["null", "R"],
      ),
    });
    expect(read(schema, "020102010201020102010201" + "00", "avro-json")).toBe(
      '{"f0":{"a.b.F":"\\u0001"},"f1":{"G":"\\u0001"},"f2":{"x.H":"\\u0001"},"f3":{"a.b.F":"\\u0001"},' +
        '"f4":{"a.b.F":"\\u0001"},"f5":{"G":"\\u0001"},"f6":null}',
    );
  });

  it("may be those that every object inherits", () => {
    const names = ["constructor", "__proto__", "toString"];
    const schema = avro({
      type: "record",
      name: "R",
      fields: fieldsOf(...names.map((name) => named(name)), ...names),
    });
    expect(read(schema, "616161616161")).toContain('"f5":"a"');
    expect(() => avro(["null", "valueOf"])).toThrow('the type "valueOf" is not declared');
  });

  it("come from references, and each schema has names of its own", () => {
    const references = [
      { name: "any", text: JSON.stringify(named("shop.Money")) },
      { name: "other", text: JSON.stringify({ ...recordOf("shop.Money"), name: "shop.Item" }) },
    ];
    for (let i = 0; i < 2; i++) {
      expect(hexOf(avro({ type: "array", items: "shop.Item" }, { references }), '[{"a":"x"}]')).toBe(
        "027800",
      );
    }
    expect(() => avro("shop.Money")).toThrow(SchemaUnusable);
    expect(() => avro(named("shop.Money"), { references })).toThrow("shop.Money is declared twice");
  });

  it("have no aliases", () => {
    expect(() => avro([named("F", { aliases: ["G"] }), "G"])).toThrow('"G" is not declared');
  });
});

describe("the text of a schema", () => {
  it.each([
    ['{"type":{"type":"long","logicalType":"date"}}', "1", "02"],
    ['{"type":"record","name":"E","fields":[]}', "{}", ""],
    ['{"type":"error","name":"E","fields":[]}', "{}", ""],
    [' "int" ', "1", "02"],
    ['{"type":["null","int"]}', "1", "0202"],
  ])("%s can be used", (text, json, hex) => {
    expect(hexOf(avroText(text), json)).toBe(hex);
  });

  it.each([
    ["", "not JSON"],
    ["string", "not JSON"],
    ['"strin\ng"', "not JSON"],
    ["null", "a type must be"],
    ["1", "a type must be"],
    ["12345678901234567890", "a type must be"],
    ["{}", "a type must be"],
    ['"Nope"', '"Nope" is not declared'],
    ['["int",["null"]]', "must not contain a union"],
    ['["int","int"]', "contains int twice"],
    ['["bytes",{"type":"bytes","logicalType":"decimal","precision":2}]', "contains bytes twice"],
    ['{"type":"record","fields":[]}', "has no name"],
    ['{"type":"record","name":"9","fields":[]}', "must be a name"],
    ['{"type":"record","name":"a b","fields":[]}', "must be a name"],
    ['{"type":"record","name":"x.int","fields":[]}', "primitive"],
    ['{"type":"record","name":"R","namespace":"a..b","fields":[]}', "namespace"],
    ['{"type":"record","name":"R","namespace":1,"fields":[]}', "namespace"],
    ['{"type":"record","name":"R"}', "no list of fields"],
    ['{"type":"record","name":"R","fields":[1]}', "is no object"],
    ['{"type":"record","name":"R","fields":[{"name":"a"}]}', "a type must be"],
    [
      '{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}',
      "two fields a",
    ],
    ['{"type":"enum","name":"E"}', "no list of symbols"],
    ['{"type":"enum","name":"E","symbols":["A","A"]}', "a symbol twice"],
    ['{"type":"enum","name":"E","symbols":["1"]}', "must be a name"],
    ['{"type":"fixed","name":"F","size":-1}', "size"],
    ['{"type":"fixed","name":"F"}', "size"],
    ['{"type":"array"}', "a type must be"],
    ['{"type":"map"}', "a type must be"],
    ['{"type":"bytes","logicalType":"decimal","precision":1000000000,"scale":1000000000}', "precision"],
    [`${"[".repeat(500)}${"]".repeat(500)}`, "nested deeper than 400"],
    [`[${"1,".repeat(200_001)}1]`, "more than 200000 values"],
  ])("%s can't be used", (text, reason) => {
    expect(() => avroText(text)).toThrow(SchemaUnusable);
    expect(() => avroText(text)).toThrow(reason);
    expect(() => avroText(text)).not.toThrow(/\n/);
  });

  it("may be nested 60 records deep", () => {
    const deep = Array.from({ length: 60 }).reduce(
      (type: unknown, _, i) => ({ ...recordOf(type), name: `R${i}` }),
      "int",
    );
    expect(hexOf(avro(deep), `${'{"a":'.repeat(60)}1${"}".repeat(60)}`)).toBe("02");
  });

  it("is refused if its defaults grow with each record", () => {
    const level = (i: number): object => ({
      type: "record",
      name: `R${i}`,
      fields: ["a", "b"].map((name, side) => ({
        name,
        type: i === 0 ? "long" : side === 0 ? level(i - 1) : `R${i - 1}`,
        default: i === 0 ? 1 : {},
      })),
    });
    expect(() => avro(level(40))).toThrow("the defaults have more than");
  });
});
