import { createReader } from "../../../src/delivery/connectors/config-reader.ts";
import { readTransformations, transformed } from "../../../src/delivery/connectors/transformations.ts";
import type { PreparedRecord } from "../../../src/delivery/engine/delivery-plan.ts";

const P = "org.apache.kafka.connect.transforms.";

const parse = (config: Record<string, string>) => {
  const reader = createReader(config);
  const transformations = readTransformations(reader, config);
  return { transformations, faults: reader.faults.map(({ message }) => message) };
};

const record = (given: Partial<PreparedRecord> = {}): PreparedRecord => ({
  ...{ topic: "orders", partition: 0, offset: 0n, timestamp: 1, key: null },
  ...{ value: Buffer.from("v"), headers: [{ name: "a", value: Buffer.from("1") }] },
  ...given,
});

const headersAfter = (config: Record<string, string>, given = record()): unknown => {
  const { transformations, faults } = parse(config);

  expect(faults).toStrictEqual([]);

  return transformed(given, transformations)?.headers.map(({ name, value }) => `${name}=${String(value)}`);
};

const FILTER = {
  transforms: "f",
  "transforms.f.type": `${P}Filter`,
  "transforms.f.predicate": "p",
  predicates: "p",
};

describe("transformations", () => {
  it("insert and drop headers in the configured order", () => {
    expect(
      headersAfter({
        transforms: "i, d",
        "transforms.i.type": `${P}InsertHeader`,
        "transforms.i.header": "b",
        "transforms.i.value.literal": "2",
        "transforms.d.type": `${P}DropHeaders`,
        "transforms.d.headers": "a, c",
      }),
    ).toStrictEqual(["b=2"]);
  });

  it.each([
    [
      "predicates.TopicNameMatches",
      { "predicates.p.pattern": "ord.*" },
      record(),
      record({ topic: "xorders" }),
    ],
    ["predicates.HasHeaderKey", { "predicates.p.name": "a" }, record(), record({ headers: [] })],
    ["predicates.RecordIsTombstone", {}, record({ value: null }), record()],
  ])("filter by %s", (type, keys, matching, other) => {
    const { transformations, faults } = parse({ ...FILTER, "predicates.p.type": `${P}${type}`, ...keys });

    expect(faults).toStrictEqual([]);
    expect(transformed(matching, transformations)).toBeUndefined();
    expect(transformed(other, transformations)).toBe(other);
  });

  it("filter the other records with negate", () => {
    const { transformations } = parse({
      ...FILTER,
      "transforms.f.negate": "true",
      "predicates.p.type": `${P}predicates.HasHeaderKey`,
      "predicates.p.name": "a",
    });

    expect(transformed(record(), transformations)).toBeDefined();
    expect(transformed(record({ headers: [] }), transformations)).toBeUndefined();
  });

  it("filter all records without a predicate", () => {
    const { transformations } = parse({ transforms: "f", "transforms.f.type": `${P}Filter` });

    expect(transformed(record(), transformations)).toBeUndefined();
  });
});

describe("faults", () => {
  it.each<[Record<string, string>, string]>([
    [{ transforms: "a" }, 'Missing required configuration "transforms.a.type" which has no default value.'],
    [
      { transforms: "a", "transforms.a.type": `${P}Cast$Value` },
      `Invalid value ${P}Cast$Value for configuration transforms.a.type: transformation is not run here; use filter or transform instead`,
    ],
    [
      { transforms: "a", "transforms.a.type": "Filter" },
      "Invalid value Filter for configuration transforms.a.type: transformation is not run here; use filter or transform instead",
    ],
    [
      { transforms: "a", "transforms.a.type": `${P}constructor` },
      `Invalid value ${P}constructor for configuration transforms.a.type: transformation is not run here; use filter or transform instead`,
    ],
    [
      { predicates: "p", "predicates.p.type": "com.example.Mine" },
      "Invalid value com.example.Mine for configuration predicates.p.type: predicate is not run here",
    ],
    [
      { ...FILTER, predicates: "q", "predicates.q.type": `${P}predicates.RecordIsTombstone` },
      "Invalid value p for configuration transforms.f.predicate: the predicate is not declared in predicates",
    ],
    [
      { transforms: "i", "transforms.i.type": `${P}InsertHeader`, "transforms.i.header": "a" },
      'Missing required configuration "transforms.i.value.literal" which has no default value.',
    ],
    [
      { ...FILTER, "predicates.p.type": `${P}predicates.TopicNameMatches`, "predicates.p.pattern": "(" },
      "Invalid value ( for configuration predicates.p.pattern: Not a regular expression",
    ],
    [
      { ...FILTER, "predicates.p.type": `${P}predicates.RecordIsTombstone`, "transforms.f.negate": "maybe" },
      "Invalid value maybe for configuration transforms.f.negate: Expected value to be either true or false",
    ],
  ])("%j", (config, line) => {
    expect(parse(config).faults).toStrictEqual([line]);
  });
});
