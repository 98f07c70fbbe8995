/** Random Avro schemas, each with a random value in Avro's JSON encoding, written exactly as the gateway writes it. */
import fc, { type Arbitrary } from "fast-check";

/** A schema as JSON, whose named types are declared at their first use. */
export type Schema = string | readonly Schema[] | { readonly type: string; readonly [key: string]: unknown };

export interface Case {
  readonly schema: Schema;
  readonly json: string;
}

const FIELDS = ["a", "b", "__proto__", "constructor", "toString", "hasOwnProperty", "zz"];

const text = fc.string({ unit: "grapheme", maxLength: 80 }).filter((value) => !/\p{Surrogate}/u.test(value));
const latin1 = (length: { minLength?: number; maxLength: number }): Arbitrary<string> =>
  fc.uint8Array(length).map((bytes) => Buffer.from(bytes).toString("latin1"));

/** Keys of maps. No key is an index, because JSON.parse changes the order of such keys. */
const keys = fc.oneof(
  text.map((key) => `k${key}`),
  fc.constantFrom(...FIELDS),
);

/** Two branches with the same result can't be in one union. */
const branchOf = (schema: Schema): string => {
  if (typeof schema === "string") return schema;
  if (Array.isArray(schema)) return "union";
  const { type } = schema as { type: string };
  return type;
};

/** Schemas without names. `named` gives each named type a name of its own. */
const shapes = fc.letrec<{ type: Schema; leaf: Schema }>((tie) => ({
  leaf: fc.constantFrom<Schema>(
    ...["null", "boolean", "int", "long", "float", "double", "bytes", "string"],
    { type: "fixed", size: 3 },
    { type: "fixed", size: 0 },
    { type: "enum", symbols: ["A", "constructor", "__proto__"] },
    { type: "long", logicalType: "unknown" },
  ),
  type: fc.oneof(
    { maxDepth: 4, depthSize: "small", withCrossShrink: true },
    tie("leaf"),
    tie("type").map((items): Schema => ({ type: "array", items })),
    tie("type").map((values): Schema => ({ type: "map", values })),
    fc.uniqueArray(tie("type"), { maxLength: 4, selector: branchOf }).map((types): Schema => {
      const branches = types.filter((type) => !Array.isArray(type));
      return branches.length > 0 ? branches : ["null"];
    }),
    fc
      .tuple(fc.shuffledSubarray(FIELDS), fc.array(tie("type"), { minLength: 7, maxLength: 7 }))
      .map(([names, types]): Schema => ({
        type: "record",
        fields: names.map((name, i) => ({ name, type: types[i] })),
      })),
  ),
}));

interface Naming {
  next: number;
}

const named = (schema: Schema, naming: Naming): Schema => {
  if (typeof schema === "string") return schema;
  if (Array.isArray(schema)) return (schema as readonly Schema[]).map((branch) => named(branch, naming));
  const { type, ...rest } = schema as { type: string; [key: string]: unknown };
  if (type === "array") return { type, items: named(rest["items"] as Schema, naming) };
  if (type === "map") return { type, values: named(rest["values"] as Schema, naming) };
  if (!["record", "enum", "fixed"].includes(type)) return schema;
  const name = `T${naming.next++}`;
  if (type !== "record") return { ...rest, type, name, namespace: "n" };
  const fields = rest["fields"] as readonly { readonly name: string; readonly type: Schema }[];
  return {
    type,
    name,
    namespace: "n",
    fields: fields.map((field) => ({ name: field.name, type: named(field.type, naming) })),
  };
};

const doubleText = (value: number): string => {
  if (!Number.isFinite(value)) return `"${value}"`;
  return Object.is(value, -0) ? "-0" : String(value);
};

const floatText = (value: number): string => {
  const texts = [6, 7, 8, 9].map((digits) => Number(value.toPrecision(digits)));
  return doubleText(texts.find((number) => Math.fround(number) === value) ?? value);
};

const SIMPLE: Readonly<Record<string, Arbitrary<string>>> = {
  null: fc.constant("null"),
  boolean: fc.boolean().map(String),
  int: fc.integer().map(String),
  long: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  float: fc.float().map(floatText),
  double: fc.double().map(doubleText),
  bytes: latin1({ maxLength: 80 }).map((value) => JSON.stringify(value)),
  string: text.map((value) => JSON.stringify(value)),
};

const valueOf = (schema: Schema): Arbitrary<string> => {
  if (typeof schema === "string") return SIMPLE[schema] ?? fc.constant("null");
  if (Array.isArray(schema)) {
    return fc.oneof(
      ...(schema as readonly Schema[]).map((branch) =>
        valueOf(branch).map((json) => (branch === "null" ? json : `{"${tagOf(branch)}":${json}}`)),
      ),
    );
  }
  const { type, size, symbols, items, values, fields } = schema as {
    readonly type: string;
    readonly size: number;
    readonly symbols: readonly string[];
    readonly items: Schema;
    readonly values: Schema;
    readonly fields: readonly { readonly name: string; readonly type: Schema }[];
  };
  switch (type) {
    case "fixed":
      return latin1({ minLength: size, maxLength: size }).map((value) => JSON.stringify(value));
    case "enum":
      return fc.constantFrom(...symbols).map((symbol) => JSON.stringify(symbol));
    case "array":
      return fc.array(valueOf(items), { maxLength: 4 }).map((all) => `[${all.join(",")}]`);
    case "map":
      return fc
        .uniqueArray(fc.tuple(keys, valueOf(values)), {
          maxLength: 4,
          selector: ([key]) => key,
        })
        .map(objectText);
    case "record":
      return fc
        .tuple(...fields.map((field) => valueOf(field.type)))
        .map((all) => objectText(all.map((json, i) => [fields[i]?.name ?? "", json])));
    default:
      return SIMPLE[type] ?? fc.constant("null");
  }
};

const objectText = (members: readonly (readonly [string, string])[]): string =>
  `{${members.map(([key, json]) => `${JSON.stringify(key)}:${json}`).join(",")}}`;

const tagOf = (schema: Schema): string => {
  if (typeof schema === "string") return schema;
  const { type, name } = schema as { readonly type: string; readonly name?: string };
  return name === undefined ? type : `n.${name}`;
};

export const cases: Arbitrary<Case> = shapes.type
  .map((shape) => named(shape, { next: 0 }))
  .chain((schema) => valueOf(schema).map((json) => ({ schema, json })));
