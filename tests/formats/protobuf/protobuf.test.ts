import fc from "fast-check";
import { compile, describeVectors, LIMITS, thrownBy } from "../../support/formats/vectors.ts";

describeVectors("PROTOBUF");

const TEXT = `syntax = "proto3";
message Tree { repeated Tree kids = 1; string name = 2; map<string, Tree> by = 3; repeated bool flags = 4; E e = 5; Tree one = 6; oneof o { int32 a = 7; Tree b = 8; } double d = 9; int64 n = 10; bytes raw = 11; }
enum E { A = 0; B = 1; }
message Other { message Inner { int32 x = 1; } }`;
const schema = compile("PROTOBUF", TEXT);
const hex = (bytes: string): Buffer => Buffer.from(bytes.replaceAll(" ", ""), "hex");
const decode = (bytes: string | Buffer, limits = LIMITS): string =>
  (limits === LIMITS ? schema : compile("PROTOBUF", TEXT, [], limits))
    .decode(typeof bytes === "string" ? hex(bytes) : bytes, "json")
    .toString();

describe("the index path", () => {
  it.each([
    ["00", "Tree"],
    ["0200", "Tree"],
    ["0202", "Other"],
    ["040200", "Other.Inner"],
  ])("%s names the message %s", (path, message) => {
    expect(decode(path)).toBe("{}");
    const written = path === "0200" ? "00" : path;
    expect(schema.encode(Buffer.from("{}"), 1, message).toString("hex", 5)).toBe(written);
  });

  it.each([
    "",
    "02",
    "0201",
    "0204",
    "040000",
    "0400",
    "01",
    "fe01",
    "feffffffffffffffffff01",
    "ffffffffffffffffffffff",
  ])("%s names no message", (path) => {
    expect(thrownBy(() => decode(path)).name).toBe("Undecodable");
  });

  it("needs a message of the schema", () => {
    expect(() => schema.encode(Buffer.from("{}"), 1, "Nope")).toThrow(/declares no message Nope/);
  });
});

describe("the decoder of Protobuf", () => {
  it.each([
    ["fields in any order", "00 2801 120178", '{"name":"x","e":"B"}'],
    ["the last one of a field", "00 120178 120179", '{"name":"y"}'],
    ["both halves of a message", "00 3202 2801 3203 120179", '{"one":{"name":"y","e":"B"}}'],
    ["the last one of a oneof", "00 4200 3801", '{"a":1}'],
    ["packed and unpacked values of a list", "00 2001 22020001 2000", '{"flags":[true,false,true,false]}'],
    ["a map's entry without key and value", "00 1a00", '{"by":{"":{}}}'],
    ["the last entry with a key", "00 1a030a0161 1a070a016112022801", '{"by":{"a":{"e":"B"}}}'],
    ["an unknown number of an enum", "00 2809", '{"e":9}'],
    ["a default value as absent", "00 2800 1200", "{}"],
    ["an integer of more bytes than it needs", "00 28818000", '{"e":"B"}'],
    ["64 bits of a 32-bit field", "00 38ffffffffffffffffff01", '{"a":-1}'],
    ["unknown fields not at all", "00 a006 01 a106 0000000000000000 a206 01ff a306 a406 a506 00000000", "{}"],
  ])("reads %s", (_, bytes, json) => {
    expect(decode(bytes)).toBe(json);
  });

  it.each([
    ["is cut off", "00 120578"],
    ["is cut off in a nested message", "00 32051201"],
    ["has a varint without end", "00 28ffffffffffffffffffff01"],
    ["has another wire type", "00 1001"],
    ["has a wrong wire type in a map", "00 1a020801"],
    ["has a string that is not UTF-8", "00 1202c328"],
    ["has the field number 0", "00 0001"],
    ["has an unknown wire type", "00 a60601"],
    ["has the end of a group without its begin", "00 a406"],
    ["has a group without an end", "00 a306"],
    ["has the end of another group", "00 a306ac06"],
    ["has a length beyond 32 bits", "00 1281808080807f"],
    ["has a packed list that is cut in a value", "00 220180"],
  ])("refuses a payload that %s", (_, bytes) => {
    const error = thrownBy(() => decode(bytes));
    expect(error.name).toBe("Undecodable");
    expect(error.message).toMatch(/^protobuf: /);
  });

  it("limits the depth, the number of values, and the bytes", () => {
    let nested = Buffer.alloc(0);
    for (let i = 0; i < 128; i++) nested = Buffer.concat([hex("32"), varint(nested.length), nested]);
    expect(() => decode(Buffer.concat([hex("00"), nested]))).toThrow(/nested too deep/);
    expect(() => decode(Buffer.concat([hex("00"), hex("a306".repeat(200))]))).toThrow(/nested too deep/);
    const many = Buffer.alloc(1_000_002, 0);
    expect(() => decode(Buffer.concat([hex("00 22"), varint(many.length), many]))).toThrow(/too many values/);
    expect(() => decode("00 120178", { ...LIMITS, maxBytes: 2 })).toThrow(/larger than 2 bytes/);
    expect(() => decode("00 120178", { ...LIMITS, maxBytes: 10 })).toThrow(
      /the JSON is larger than 10 bytes/,
    );
  });

  it("refuses random bytes, or reads them, and never crashes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        let outcome: string;
        try {
          outcome = typeof JSON.parse(decode(Buffer.concat([hex("00"), bytes])));
        } catch (error) {
          outcome = (error as Error).name;
        }
        expect(["object", "Undecodable"]).toContain(outcome);
      }),
      { numRuns: 1_000 },
    );
  });
});

const varint = (value: number): Buffer => {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
};

describe("any value", () => {
  const { tree } = fc.letrec<{ tree: object }>((tie) => ({
    tree: fc.record(
      {
        kids: fc.array(tie("tree"), { minLength: 1, maxLength: 3, depthIdentifier: "tree" }),
        name: fc.string({ minLength: 1, unit: "grapheme" }),
        by: fc.dictionary(fc.string(), tie("tree"), { minKeys: 1, maxKeys: 3, depthIdentifier: "tree" }),
        flags: fc.array(fc.boolean(), { minLength: 1 }),
        e: fc.constantFrom("B", 7, -1),
        d: fc.double({ noNaN: true, noDefaultInfinity: true }).filter((d) => d !== 0),
        n: fc
          .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
          .filter((n) => n !== 0n)
          .map(String),
        raw: fc.uint8Array({ minLength: 1 }).map((bytes) => Buffer.from(bytes).toString("base64")),
      },
      { requiredKeys: [] },
    ),
  }));

  it("comes back as it was", () => {
    fc.assert(
      fc.property(tree, (value) => {
        const json = JSON.stringify(value);
        const framed = schema.encode(Buffer.from(json), 1);
        expect(JSON.parse(decode(framed.subarray(5)))).toEqual(JSON.parse(json));
        expect(schema.frame?.(framed.subarray(6), 1)).toEqual(framed);
      }),
    );
  });
});

describe("a binary message", () => {
  it("is framed unchanged, with unknown fields", () => {
    expect(schema.frame?.(hex("120178 a00601"), 7).toString("hex")).toBe("000000000700120178a00601");
    expect(schema.frame?.(hex("0805"), 7, "Other.Inner").toString("hex")).toBe("00000000070402000805");
  });

  it("is refused if it is no such message", () => {
    for (const bytes of ["1201", "1001", "00"]) {
      expect(thrownBy(() => schema.frame?.(hex(bytes), 7)).name).toBe("DataRefused");
    }
  });
});
