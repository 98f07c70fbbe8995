/** Google's Protobuf library and Confluent's client for Python write and read the same records. */
import { compile } from "../support/formats/vectors.ts";
import { askOracle, describeWithOracles } from "../support/oracles/oracles.ts";

const SCALARS = [
  "double",
  "float",
  "int64",
  "uint64",
  "int32",
  "fixed64",
  "fixed32",
  "bool",
  "string",
  "bytes",
  "uint32",
  "sfixed32",
  "sfixed64",
  "sint32",
  "sint64",
] as const;
const WELL_KNOWN = [
  ["timestamp", "Timestamp"],
  ["duration", "Duration"],
  ["struct", "Struct"],
  ["struct", "Value"],
  ["struct", "ListValue"],
  ["field_mask", "FieldMask"],
  ["wrappers", "Int64Value"],
  ["wrappers", "BytesValue"],
  ["any", "Any"],
  ["empty", "Empty"],
] as const;

/** The same schema as a text, and as a FileDescriptorProto in JSON. */
const TEXT = `syntax = "proto3";
package oracle;
${[...new Set(WELL_KNOWN.map(([file]) => file))].map((file) => `import "google/protobuf/${file}.proto";`).join("\n")}
message First { int32 x = 1; }
message All {
${SCALARS.map((type, i) => `  ${type} one_${type} = ${i + 1};`).join("\n")}
${SCALARS.map((type, i) => `  repeated ${type} many_${type} = ${i + 21};`).join("\n")}
${WELL_KNOWN.map(([, type], i) => `  google.protobuf.${type} wk_${type.toLowerCase()} = ${i + 41};`).join("\n")}
  Side side = 60;
  Leg leg = 61;
  repeated Leg legs = 62;
  message Leg { int32 qty = 1; Leg next = 2; }
  enum Side { NONE = 0; BUY = 1; }
}`;

const field = (name: string, number: number, rest: object): object => ({
  name,
  number,
  label: "LABEL_OPTIONAL",
  ...rest,
});
const message = (typeName: string): object => ({ type: "TYPE_MESSAGE", typeName });
const FILE = {
  name: "oracle.proto",
  syntax: "proto3",
  package: "oracle",
  dependency: [...new Set(WELL_KNOWN.map(([file]) => `google/protobuf/${file}.proto`))],
  messageType: [
    { name: "First", field: [field("x", 1, { type: "TYPE_INT32" })] },
    {
      name: "All",
      field: [
        ...SCALARS.map((type, i) => field(`one_${type}`, i + 1, { type: `TYPE_${type.toUpperCase()}` })),
        ...SCALARS.map((type, i) =>
          field(`many_${type}`, i + 21, { type: `TYPE_${type.toUpperCase()}`, label: "LABEL_REPEATED" }),
        ),
        ...WELL_KNOWN.map(([, type], i) =>
          field(`wk_${type.toLowerCase()}`, i + 41, message(`.google.protobuf.${type}`)),
        ),
        field("side", 60, { type: "TYPE_ENUM", typeName: ".oracle.All.Side" }),
        field("leg", 61, message(".oracle.All.Leg")),
        field("legs", 62, { ...message(".oracle.All.Leg"), label: "LABEL_REPEATED" }),
      ],
      nestedType: [
        {
          name: "Leg",
          field: [field("qty", 1, { type: "TYPE_INT32" }), field("next", 2, message(".oracle.All.Leg"))],
        },
      ],
      enumType: [
        {
          name: "Side",
          value: [
            { name: "NONE", number: 0 },
            { name: "BUY", number: 1 },
          ],
        },
      ],
    },
  ],
};

const EVENTS: readonly object[] = [
  {},
  { one_double: 1.5, one_float: 0.1, one_int32: -1, one_uint32: 4_294_967_295, one_sint32: -2_147_483_648 },
  { oneInt64: "-9223372036854775808", oneUint64: "18446744073709551615", oneSint64: "-1", oneSfixed64: "-2" },
  { oneFixed64: "18446744073709551615", oneFixed32: 4_294_967_295, oneSfixed32: -1, oneBool: true },
  { oneString: 'é😀\n\u0000"', oneBytes: "AAH/-_", oneDouble: "-Infinity", oneFloat: 3.4028234e38 },
  {
    manyInt32: [0, -1, 300],
    manyInt64: ["0", 5],
    manyString: ["", "x"],
    manyBytes: ["", "AQ=="],
    manyBool: [true, false],
  },
  {
    manyDouble: [0, 1e-300],
    manyFloat: [16_777_216, 1e-45],
    manySint64: ["9223372036854775807"],
    manyFixed32: [1],
  },
  {
    manySfixed32: [-1],
    manySfixed64: [-1],
    manyUint32: [1],
    manyUint64: [1],
    manySint32: [1, -1],
    manyFixed64: [2],
  },
  { wkTimestamp: "2024-02-29T12:34:56.789012345Z", wkDuration: "-1.000000001s", wkFieldmask: "a.bC,d" },
  {
    wkTimestamp: "0001-01-01T00:00:00Z",
    wkDuration: "315576000000s",
    wkEmpty: {},
    wkInt64value: "0",
    wkBytesvalue: "",
  },
  { wkStruct: { a: [null, 1.5, "x", true, { b: {} }] }, wkValue: null, wkListvalue: [1, [2]] },
  { wkAny: { "@type": "type.googleapis.com/oracle.First", x: 5 }, side: "BUY" },
  { wkAny: { "@type": "type.googleapis.com/google.protobuf.Duration", value: "3s" }, side: 1 },
  { leg: { qty: 1, next: { next: {} } }, legs: [{}, { qty: -5 }] },
];

interface Answer {
  readonly schema: string;
  readonly record: string;
  readonly json: object;
  readonly decoded: object;
}

describeWithOracles("the Protobuf oracles", () => {
  const schema = compile("PROTOBUF", TEXT);
  const cases = EVENTS.map((event) => {
    const json = JSON.stringify(event);
    const framed = schema.encode(Buffer.from(json), 7, "oracle.All").toString("hex");
    return { file: FILE, message: "oracle.All", json, framed };
  });
  let answers: readonly Answer[];
  beforeAll(async () => {
    answers = (await askOracle("protobuf_oracle.py", cases)) as readonly Answer[];
  }, 60_000);

  it("write the same bytes", () => {
    expect(cases.map(({ framed }) => framed.slice(10))).toEqual(answers.map(({ record }) => record));
  });

  it("read what the gateway writes, and the gateway writes the same JSON", () => {
    const read = cases.map(
      ({ framed }) =>
        JSON.parse(schema.decode(Buffer.from(framed.slice(10), "hex"), "json").toString()) as object,
    );
    expect(read).toEqual(answers.map(({ json }) => json));
    expect(answers.map(({ decoded }) => decoded)).toEqual(answers.map(({ json }) => json));
  });

  it("register a schema in base64 that means the same", () => {
    const own = compile("PROTOBUF", answers[0]?.schema ?? "");
    expect(own.name).toBe("oracle.First");
    for (const { json, framed } of cases) {
      expect(own.encode(Buffer.from(json), 7, "oracle.All").toString("hex")).toBe(framed);
    }
  });
});

describeWithOracles("the JSON Schema oracle", () => {
  it("reads what the gateway writes", async () => {
    const schema = JSON.stringify({
      $schema: "http://json-schema.org/draft-07/schema#",
      title: "Order",
      type: "object",
      required: ["id"],
      properties: { id: { type: "integer" }, note: { type: "string", pattern: "^[a-z]+$" } },
    });
    const compiled = compile("JSONSCHEMA", schema);
    const events = ['{"id":1}', '{ "note" : "abc", "id": 12345678901234567890, "é": [1.10] }'];
    const cases = events.map((json) => ({
      schema,
      framed: compiled.encode(Buffer.from(json), 7).toString("hex"),
    }));
    const answers = (await askOracle("protobuf_oracle.py", cases)) as readonly { decoded: object }[];
    expect(answers.map(({ decoded }) => decoded)).toEqual(events.map((json) => JSON.parse(json) as object));
  }, 60_000);
});
