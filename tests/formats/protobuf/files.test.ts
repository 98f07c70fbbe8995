import { compile, thrownBy } from "../../support/formats/vectors.ts";

const repeat = (count: number, text: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => text(index)).join("");

describe("a Protobuf schema", () => {
  it("is named by its first message, and knows which messages it declares", () => {
    const schema = compile(
      "PROTOBUF",
      "package a.b; enum E { X = 0; } message M { message N { } } message O { }",
    );
    expect(schema.name).toBe("a.b.M");
    expect(["a.b.M", "a.b.M.N", "a.b.O", "M", "a.b.E"].map((name) => schema.declares?.(name))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
  });

  it("finds types from the innermost scope outwards, never in a neighbouring scope", () => {
    const schema = compile(
      "PROTOBUF",
      `syntax = "proto3";
      message A { B b = 1; message C { message B { int32 y = 1; } } }
      message B { int32 x = 1; }`,
    );
    expect(schema.encode(Buffer.from('{"b":{"x":1}}'), 1).toString("hex", 6)).toBe("0a020801");
  });

  it("can have names that JavaScript objects inherit", () => {
    const schema = compile("PROTOBUF", "message constructor { optional constructor toString = 1; }");
    expect(schema.encode(Buffer.from('{"toString":{}}'), 1).toString("hex", 6)).toBe("0a00");
  });

  it("uses the gateway's own definition of a well-known file that is also a reference", () => {
    const name = "google/protobuf/timestamp.proto";
    const text =
      'syntax = "proto3"; package google.protobuf; message Timestamp { int64 seconds = 1; int32 nanos = 2; }';
    const schema = compile(
      "PROTOBUF",
      `syntax = "proto3"; import "${name}"; message A { google.protobuf.Timestamp at = 1; }`,
      [{ name, text }],
    );
    expect(schema.encode(Buffer.from('{"at":"1970-01-01T00:00:01Z"}'), 1).toString("hex", 6)).toBe(
      "0a020801",
    );
  });

  it("links references that import each other, in base64 too", () => {
    // A file u.proto of proto3 with the package u: message Unit { string code = 1; }
    const unit =
      "0a07752e70726f746f1201752214" + "0a04556e6974120c0a04636f646518012001" + "2809" + "620670726f746f33";
    const references = [
      { name: "u.proto", text: Buffer.from(unit, "hex").toString("base64") },
      { name: "m.proto", text: 'syntax = "proto3"; import "u.proto"; message Money { u.Unit unit = 1; }' },
    ];
    const schema = compile(
      "PROTOBUF",
      'syntax = "proto3"; import "m.proto"; message Sale { Money price = 1; }',
      references,
    );
    const framed = schema.encode(Buffer.from('{"price":{"unit":{"code":"x"}}}'), 1);
    expect(framed.toString("hex", 6)).toBe("0a050a030a0178");
  });
});

describe("an unusable Protobuf schema", () => {
  it.each([
    ["empty", "", /declares no message/],
    ["only an enum", "enum E { A = 0; }", /declares no message/],
    ["two words", "hello world", /declares no message/],
    ["one word", "hello", /neither a \.proto file nor/],
    ["base64 of something else", "aGVsbG8gd29ybGQ=", /./],
    ["an unknown import", 'import "x.proto"; message A { }', /its import "x.proto" is neither/],
    ["an unknown type", "message A { optional B b = 1; }", /B/],
    ["a number twice", "message A { optional int32 a = 1; optional int32 b = 1; }", /duplicate id 1/],
    ["the number 0", "message A { optional int32 a = 0; }", /the number 0 of A.a/],
    ["a number that is too large", "message A { optional int32 a = 536870912; }", /536870912/],
    [
      "two fields with one JSON name",
      'syntax = "proto3"; message A { int32 a_b = 1; int32 aB = 2; }',
      /same name in JSON/,
    ],
    ["the name __proto__", "message __proto__ { }", /__proto__/],
    ["nested too deep", "message A {".repeat(5_000), /depth/],
    ["a nested option", `option a = {${"b {".repeat(5_000)}`, /depth/],
    [
      "too many fields",
      `message A { ${repeat(20_000, (n) => `optional bool f${n} = ${n + 20_000};`)} }`,
      /too many fields/,
    ],
    [
      "too many fields of a oneof",
      `message A { oneof o { ${repeat(20_000, (n) => `bool f${n} = ${n + 1};`)} } }`,
      /too many/,
    ],
    [
      "too many fields behind comments",
      `message A { ${repeat(20_000, (n) => `optional bool f${n} = ${n + 1}; /*{*/ //{\n`)} }`,
      /too many/,
    ],
    ["too many messages", repeat(20_000, (n) => `message A${n} { }`), /too many fields or messages/],
  ])("%s", (_, text, reason) => {
    const error = thrownBy(() => compile("PROTOBUF", text));
    expect(error.name).toBe("SchemaUnusable");
    expect(error.message).toMatch(reason);
    expect(error.message).not.toContain("\n");
  });

  it("names the reference that is unusable", () => {
    expect(() => compile("PROTOBUF", "message A { }", [{ name: "r.proto", text: "message" }])).toThrow(
      /r\.proto/,
    );
  });

  it("is not a long chain of messages", () => {
    const text = `syntax = "proto3"; ${repeat(1_500, (n) => `message A${n} { A${n + 1} f = 1; }`)} message A1500 { }`;
    expect(compile("PROTOBUF", text).name).toBe("A0");
  });
});
