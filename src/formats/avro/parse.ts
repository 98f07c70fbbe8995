/** Parses the text of an Avro schema and of its references. */
import { excessOf } from "../../lib/json-scan.ts";
import type { SchemaSource } from "../format.ts";
import { decimalOf, MAX_PRECISION } from "./decimal.ts";
import { needsDigits, parseWithDigits } from "../digits.ts";
import { checkName, declaredName, Names, namespaceOf, shown, unusable } from "./names.ts";
import { type AvroType, type Field, PRIMITIVES, tagOf } from "./types.ts";
import { isObject, type JsonObject } from "./write.ts";

/** Bounds of a schema's text. The functions that read a schema, and the ones that it compiles to, call themselves. */
const MOST = { depth: 400, values: 200_000, members: 200_000 };

/** Throws SchemaUnusable. */
export const parseSchema = ({ text, references }: SchemaSource): AvroType => {
  const names = new Names();
  for (const reference of references) parseText(reference.text, names);
  return parseText(text, names);
};

const parseText = (text: string, names: Names): AvroType => parseType(jsonOf(text), "", names);

const jsonOf = (text: string): unknown => {
  const bytes = Buffer.from(text);
  const excess = excessOf(bytes, MOST);
  if (excess === "depth") throw unusable(`the schema is nested deeper than ${MOST.depth} levels`);
  if (excess !== undefined) throw unusable(`the schema has more than ${MOST[excess]} ${excess}`);
  try {
    const schema = JSON.parse(text) as unknown;
    return needsDigits(bytes) ? parseWithDigits(text) : schema;
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message.replaceAll(/\s+/g, " ") : "";
    throw unusable(`the schema is not JSON: ${reason}`);
  }
};

const parseType = (schema: unknown, around: string, names: Names): AvroType => {
  if (typeof schema === "string") return primitiveOf(schema, {}) ?? names.resolve(schema, around);
  if (Array.isArray(schema)) return parseUnion(schema, around, names);
  if (!isObject(schema))
    throw unusable(`a type must be a string, an array or an object (got ${shown(schema)})`);
  const { type } = schema;
  return typeof type === "string"
    ? parseObject(type, schema, { around, names })
    : parseType(type, around, names);
};

const parseObject = (
  type: string,
  schema: JsonObject,
  { around, names }: { readonly around: string; readonly names: Names },
): AvroType => {
  switch (type) {
    case "record":
    case "error":
      return parseRecord(schema, around, names);
    case "enum":
      return parseEnum(schema, around, names);
    case "fixed":
      return parseFixed(schema, around, names);
    case "array":
      return { kind: "array", items: parseType(schema["items"], around, names) };
    case "map":
      return { kind: "map", values: parseType(schema["values"], around, names) };
    default:
      return primitiveOf(type, schema) ?? names.resolve(type, around);
  }
};

const primitiveOf = (name: string, schema: JsonObject): AvroType | undefined => {
  const kind = PRIMITIVES.find((primitive) => primitive === name);
  if (kind !== "bytes") return kind === undefined ? undefined : { kind };
  return { kind, decimal: boundedDecimal(schema) };
};

const boundedDecimal = (schema: JsonObject, size?: number): ReturnType<typeof decimalOf> => {
  const decimal = decimalOf(schema, size);
  if (decimal !== undefined && decimal.precision > MAX_PRECISION) {
    throw unusable(`the precision of a decimal must be at most ${MAX_PRECISION} (got ${decimal.precision})`);
  }
  return decimal;
};

const parseUnion = (schemas: readonly unknown[], around: string, names: Names): AvroType => {
  const branches = schemas.map((schema) => parseType(schema, around, names));
  const tags = new Set<string>();
  for (const branch of branches) {
    if (branch.kind === "union") throw unusable("a union must not contain a union");
    const tag = tagOf(branch);
    if (tags.has(tag)) throw unusable(`a union contains ${tag} twice`);
    tags.add(tag);
  }
  return { kind: "union", branches };
};

/** The record is declared before its fields are read, because they may refer to it. */
const parseRecord = (schema: JsonObject, around: string, names: Names): AvroType => {
  const name = declaredName(schema, around);
  const fields: Field[] = [];
  const record: AvroType = { kind: "record", name, fields };
  names.declare(name, record);
  if (!Array.isArray(schema["fields"])) throw unusable(`the record ${name} has no list of fields`);
  const seen = new Set<string>();
  for (const field of schema["fields"] as readonly unknown[]) {
    if (!isObject(field)) throw unusable(`a field of ${name} is no object (got ${shown(field)})`);
    const fieldName = checkName(field["name"], `the name of a field of ${name}`);
    if (seen.has(fieldName)) throw unusable(`the record ${name} has two fields ${fieldName}`);
    seen.add(fieldName);
    const type = parseType(field["type"], namespaceOf(name), names);
    fields.push({ name: fieldName, type, fallback: field["default"] });
  }
  return record;
};

const parseEnum = (schema: JsonObject, around: string, names: Names): AvroType => {
  const name = declaredName(schema, around);
  if (!Array.isArray(schema["symbols"])) throw unusable(`the enum ${name} has no list of symbols`);
  const symbols = (schema["symbols"] as readonly unknown[]).map((symbol) =>
    checkName(symbol, `each symbol of ${name}`),
  );
  if (new Set(symbols).size < symbols.length) throw unusable(`the enum ${name} has a symbol twice`);
  const type: AvroType = { kind: "enum", name, symbols };
  names.declare(name, type);
  return type;
};

const parseFixed = (schema: JsonObject, around: string, names: Names): AvroType => {
  const name = declaredName(schema, around);
  const { size } = schema;
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    throw unusable(`the size of ${name} must be 0 or greater (got ${shown(size)})`);
  }
  const type: AvroType = { kind: "fixed", name, size, decimal: boundedDecimal(schema, size) };
  names.declare(name, type);
  return type;
};
