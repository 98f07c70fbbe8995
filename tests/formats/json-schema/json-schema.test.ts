import { DataRefused, type SchemaSource } from "../../../src/formats/format.ts";
import { compile, describeVectors, LIMITS, thrownBy } from "../../support/formats/vectors.ts";

describeVectors("JSONSCHEMA");

const schemaOf = (schema: unknown, references: SchemaSource["references"] = []) =>
  compile("JSONSCHEMA", typeof schema === "string" ? schema : JSON.stringify(schema), references);

const refusalOf = (schema: unknown, json: string, references: SchemaSource["references"] = []): string => {
  try {
    schemaOf(schema, references).encode(Buffer.from(json), 1);
    return "accepted";
  } catch (error) {
    return (error as Error).message;
  }
};

describe("a JSON Schema of the registry", () => {
  it("is named by its title", () => {
    expect(schemaOf({ title: "Order" }).name).toBe("Order");
    for (const schema of [{}, { title: "" }, true]) expect(schemaOf(schema).name).toBeUndefined();
  });

  it("refuses with the text of the Memphis API, which names the station", () => {
    const schema = schemaOf({ properties: { n: { type: "integer" } } });
    const refusal = thrownBy(() => schema.encode(Buffer.from('{"n":"x"}'), 1));
    expect(refusal.name).toBe("DataRefused");
    const text = (place: string): string =>
      `jsonschema: '/n' does not validate with ${place}#/properties/n/type: expected integer, but got string`;
    expect(refusal.message).toBe(text("schema"));
    expect(refusal instanceof DataRefused ? refusal.inStation("orders") : "").toBe(text("orders"));
  });

  it("refuses every event if it is `false`", () => {
    expect(refusalOf("false", "{}")).toBe("jsonschema: '' does not validate with schema#: not allowed");
  });

  it("throws JSON_INVALID and JSON_TOO_DEEP for events that are no JSON within the limits", () => {
    const encode = (json: string) => schemaOf({}).encode(Buffer.from(json), 1);
    expect(thrownBy(() => encode("{"))).toMatchObject({ code: "JSON_INVALID" });
    const deep = "[".repeat(200) + "]".repeat(200);
    expect(thrownBy(() => encode(deep))).toMatchObject({ code: "JSON_TOO_DEEP" });
  });

  it("does not use the event's buffer for the record", () => {
    const json = Buffer.from("{}");
    const framed = schemaOf({}).encode(json, 2 ** 31 - 1);
    json.fill(0);
    expect(framed.toString("hex")).toBe("007fffffff7b7d");
  });
});

describe("the drafts of the registry", () => {
  const draft4 = "http://json-schema.org/draft-04/schema#";

  it.each([
    [{ minimum: 1, exclusiveMinimum: true }, "1", "#/exclusiveMinimum: must be > 1 but found 1"],
    [{ minimum: 1, exclusiveMinimum: false }, "0", "#/minimum: must be >= 1 but found 0"],
    [{ maximum: 1, exclusiveMaximum: true }, "1", "#/exclusiveMaximum: must be < 1 but found 1"],
    [
      { id: "http://x.y/z", definitions: { a: { type: "null" } }, $ref: "http://x.y/z#/definitions/a" },
      "1",
      "null",
    ],
  ])("draft 4: %j", (schema, json, reason) => {
    expect(refusalOf({ $schema: draft4, ...schema }, json)).toContain(reason);
  });

  it.each([
    [draft4, { if: true, then: false, contains: false, const: 1, propertyNames: false, $id: 5 }, '[{"a":1}]'],
    ["http://json-schema.org/draft-06/schema#", { if: true, then: false, id: 5 }, "1"],
    [
      "http://json-schema.org/draft-07/schema#",
      { prefixItems: [false], dependentRequired: { a: ["b"] } },
      '{"a":1}',
    ],
    [undefined, { id: "http://x.y/z", prefixItems: [false] }, "[1]"],
    ["https://json-schema.org/draft/2020-12/schema", { additionalItems: 5, id: {} }, "1"],
  ])("%s ignores the keywords of other drafts", ($schema, schema, json) => {
    expect(refusalOf({ ...schema, $schema }, json)).toBe("accepted");
  });

  it.each([
    ["http://json-schema.org/draft-06/schema#", { contains: { const: 1 } }, "[2]", "#/minContains"],
    ["https://json-schema.org/draft-07/schema", { if: true, then: { const: 1 } }, "2", "#/then/const"],
    ["https://json-schema.org/draft/2019-09/schema", { dependentRequired: { a: ["b"] } }, '{"a":1}', "'b'"],
    [
      "https://json-schema.org/draft/2020-12/schema#",
      { prefixItems: [{ const: 1 }] },
      "[2]",
      "#/prefixItems/0",
    ],
  ])("%s knows its keywords", ($schema, schema, json, reason) => {
    expect(refusalOf({ ...schema, $schema }, json)).toContain(reason);
  });
});

describe("references", () => {
  const money = { type: "object", required: ["units"] };
  const order = (ref: string, more = {}) => ({ properties: { price: { $ref: ref } }, ...more });
  const refused = /'\/price' does not validate with schema#.*missing properties: 'units'/;

  it.each([
    ["by name", order("money.json"), money],
    ["by a part", order("money.json#/$defs/m"), { $defs: { m: money } }],
    ["by $id", order("http://x.y/money"), { ...money, $id: "http://x.y/money" }],
    ["by a name relative to the schema's $id", order("money.json", { $id: "http://x.y/order" }), money],
    ["by a name although it has an $id", order("money.json"), { ...money, $id: "http://x.y/money" }],
    [
      "of another draft",
      order("money.json"),
      { ...money, $schema: "http://json-schema.org/draft-04/schema#" },
    ],
  ])("are found %s", (_, schema, reference) => {
    const references = [{ name: "money.json", text: JSON.stringify(reference) }];
    expect(refusalOf(schema, '{"price":{}}', references)).toMatch(refused);
    expect(refusalOf(schema, '{"price":{"units":1}}', references)).toBe("accepted");
  });

  it("can refer to other references", () => {
    const references = [
      { name: "unit.json", text: '{"type":"integer"}' },
      { name: "money.json", text: JSON.stringify({ properties: { units: { $ref: "unit.json" } } }) },
    ];
    expect(refusalOf(order("money.json"), '{"price":{"units":"x"}}', references)).toContain("'/price/units'");
  });
});

describe("an unusable JSON Schema", () => {
  it.each([
    ["no JSON", "{", /the schema is not JSON/],
    ["no schema", "5", /an object, true or false/],
    ["an array", "[]", /an object, true or false/],
    ["a wrong keyword", { type: "strin" }, /'\/type': value must be one of/],
    [
      "an unknown draft",
      { $schema: "http://json-schema.org/draft-03/schema#" },
      /\$schema is .*draft-03.*supported/,
    ],
    [
      "a $ref to an address",
      { $ref: "http://127.0.0.1:1/x" },
      /its \$ref 'http:\/\/127.0.0.1:1\/x' is neither/,
    ],
    ["a $ref to a missing part", { $ref: "#/nowhere" }, /nowhere/],
    ["an asynchronous one", { $async: true }, /\$async/],
    ["too deep", '{"not":'.repeat(5000) + "{}" + "}".repeat(5000), /nested too deep/],
  ])("%s", (_, schema, reason) => {
    const error = thrownBy(() => schemaOf(schema));
    expect(error.name).toBe("SchemaUnusable");
    expect(error.message).toMatch(reason);
  });

  it("a reference that is no JSON", () => {
    expect(() => schemaOf({}, [{ name: "a.json", text: "x" }])).toThrow(/the reference a\.json is not JSON/);
  });

  it("a reference that is no schema", () => {
    expect(() => schemaOf({}, [{ name: "a.json", text: '{"type":1}' }])).toThrow(
      /the reference a\.json: '\/type'/,
    );
  });

  it("refuses events, and does not crash, if it refers to itself without end", () => {
    expect(refusalOf({ allOf: [{ $ref: "#" }] }, "{}")).toMatch(/nested too deep/);
  });
});

describe("hostile JSON Schemas", () => {
  it.each([{ pattern: "(x)\\1" }, { patternProperties: { "(?<=a)b": { type: "string" } } }])(
    "are unusable: %j",
    (schema) => {
      expect(() => schemaOf(schema)).toThrow(/does not run in linear time/);
    },
  );

  it("know patterns apart", () => {
    const schema = { properties: { a: { pattern: "^(a|a)+$" }, b: { pattern: "^(b|b)+$" } } };
    expect(refusalOf(schema, '{"a":"a","b":"b"}')).toBe("accepted");
    expect(refusalOf(schema, '{"a":"b"}')).toContain("does not match pattern '^(a|a)+$'");
    expect(refusalOf({ patternProperties: { "^x": {} }, additionalProperties: false }, '{"y":1}')).toContain(
      "additionalProperties 'y' not allowed",
    );
  });

  it.each([
    ["http://json-schema.org/draft-04/schema#", "$ref", "#/definitions/n"],
    [undefined, "$ref", "#/definitions/n"],
    ["https://json-schema.org/draft/2019-09/schema", "$recursiveRef", "#"],
    ["https://json-schema.org/draft/2020-12/schema", "$dynamicRef", "#"],
    [undefined, "$ref", "#/definitions/enum"],
  ])("take a bounded time for choices that refer to themselves (%s, %s %s)", ($schema, keyword, target) => {
    const again = { required: ["z"], properties: { a: { [keyword]: target } } };
    const choice = { anyOf: [again, { ...again, title: "again" }] };
    const schema = { $schema, ...choice, definitions: { n: choice, enum: choice } };
    const event = (depth: number): string => '{"z":1,"a":'.repeat(depth) + "{}" + "}".repeat(depth);
    expect(refusalOf(schema, event(3))).toContain("missing properties: 'z'");
    expect(refusalOf(schema, event(60))).toBe(
      "jsonschema: '' does not validate with schema#: takes too many steps",
    );
  });

  it("can't hide a choice in data", () => {
    expect(() => schemaOf({ enum: [{ not: {} }], $ref: "#/enum/0" })).toThrow(/refers to data/);
    expect(() => schemaOf({ properties: { a: { $ref: "#/%65num/0" } }, enum: [{}] })).toThrow(
      /refers to data/,
    );
    expect(
      refusalOf({ properties: { a: { $ref: "#/properties/enum" }, enum: { const: 1 } } }, '{"a":1}'),
    ).toBe("accepted");
  });

  it("do not count against many references of a large event", () => {
    const schema = { items: { $ref: "#/definitions/i" }, definitions: { i: { type: "integer" } } };
    expect(refusalOf(schema, `[${"1,".repeat(90_000)}1]`)).toBe("accepted");
  });

  it("compare many items in linear time", () => {
    const items = Array.from({ length: 50_000 }, (_, n) => ({ n }));
    expect(refusalOf({ uniqueItems: true }, JSON.stringify(items))).toBe("accepted");
    expect(refusalOf({ uniqueItems: true }, '[{"a":1,"b":2},1,{"b":2,"a":1}]')).toBe(
      "jsonschema: '' does not validate with schema#/uniqueItems: items at index 0 and 2 are equal",
    );
    expect(refusalOf({ uniqueItems: false }, "[1,1]")).toBe("accepted");
  });
});

describe("the decoder of JSON Schema", () => {
  const decode = (payload: Buffer, limits = LIMITS): Buffer =>
    compile("JSONSCHEMA", "true", [], limits).decode(payload, "json");

  it("gives the payload as it is", () => {
    const payload = Buffer.from(' {"n":1.10} ');
    expect(decode(payload)).toBe(payload);
  });

  it.each([
    ["not JSON", "{", /not JSON/],
    ["empty", "", /not JSON/],
    ["two texts", "1 2", /not JSON/],
    ["too deep", "[".repeat(200) + "]".repeat(200), /nested deeper than 128 levels/],
    ["too many values", `[${"1,".repeat(1_000_000)}1]`, /more than 1000000 values/],
  ])("refuses a payload that is %s", (_, payload, reason) => {
    const error = thrownBy(() => decode(Buffer.from(payload)));
    expect(error.name).toBe("Undecodable");
    expect(error.message).toMatch(reason);
  });

  it("refuses a payload that is not UTF-8, or too large", () => {
    expect(() => decode(Buffer.from([0x22, 0xff, 0x22]))).toThrow(/not JSON/);
    expect(() => decode(Buffer.from("[1]"), { ...LIMITS, maxBytes: 2 })).toThrow(/larger than 2 bytes/);
  });
});
