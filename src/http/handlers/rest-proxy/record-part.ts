/** The key or the value of a v3 record: `{type, data}`, or data and the schema of a registry that it is written with. */
import { z } from "zod";
import { GatewayError } from "../../../errors.ts";
import type { SchemaType } from "../../../formats/format.ts";
import { fromBase64 } from "../../../ingest/content/content-type.ts";
import type { SchemaName } from "../../../ingest/schema/record-schemas.ts";
import { membersOf, type Span } from "../../../lib/json-scan.ts";
import { isSchemaType, readSchemaName, schemaFieldIn, schemaFields } from "./schema-name.ts";

/** The source bytes of a part. JSON data is stored as these bytes and is not serialized again. */
export interface Source {
  readonly bytes: Buffer;
  readonly span: Span | undefined;
}

export const partShape = z.strictObject({
  type: z.string().nullish(),
  data: z.unknown().optional(),
  ...schemaFields,
});

type GivenPart = z.output<typeof partShape>;

export interface RecordPart {
  /** For the report of a part that no schema of the registry has encoded. */
  readonly type: PlainType | SchemaType;
  /** null if `data` is null. */
  readonly bytes: Buffer | null;
  /** The schema of the registry that the part names. `bytes` are JSON then. */
  readonly schema?: SchemaName;
}

type PlainType = "BINARY" | "JSON" | "STRING";

const isPlainType = (type: string): type is PlainType =>
  type === "BINARY" || type === "JSON" || type === "STRING";

interface PartContext {
  readonly source: Source;
  /** false: a part that needs a schema registry is refused. */
  readonly hasRegistry: boolean;
}

/**
 * Throws REGISTRY_MISSING if the part needs a schema registry and none is configured, and REQUEST_INVALID for data of another
 * type and for fields that do not go together.
 */
export const readPart = (
  name: "key" | "value",
  given: GivenPart | null | undefined,
  { source, hasRegistry }: PartContext,
): RecordPart | undefined => {
  if (given === null || given === undefined) return undefined;
  if (!hasRegistry) refuseRegistry(given);
  if (given.data === undefined) throw invalid(`${name}.data is missing; for a null ${name} set it to null`);
  const type = given.type ?? (needsSchema(given, hasRegistry) ? undefined : "BINARY");
  if (type === undefined || isSchemaType(type)) return schemaPart(name, given, source);
  if (!isPlainType(type)) throw typeUnknown(name, type, hasRegistry);
  const field = schemaFieldIn(given);
  if (field === undefined)
    return { type, bytes: given.data === null ? null : plainBytes(name, given.data, type, source) };
  throw invalid(`${name}.${field} does not go with the type ${type}; leave out one of them`);
};

const plainBytes = (name: string, data: unknown, type: PlainType, source: Source): Buffer | null => {
  switch (type) {
    case "JSON":
      return dataOf(source);
    case "STRING":
      return Buffer.from(text(name, data, "a string"));
    case "BINARY":
      return binary(name, data);
  }
};

const typeUnknown = (name: string, type: string, hasRegistry: boolean): GatewayError => {
  const allowed = hasRegistry
    ? "BINARY, JSON, STRING, AVRO, JSONSCHEMA or PROTOBUF"
    : "BINARY, JSON or STRING";
  return invalid(`${name}.type must be ${allowed} (got ${type.slice(0, 80)})`);
};

/** True if a part without a type needs a schema. A tombstone needs no schema. */
const needsSchema = (given: GivenPart, hasRegistry: boolean): boolean =>
  hasRegistry && (given.data !== null || schemaFieldIn(given) !== undefined);

/** For a tombstone that names no schema, the registry is not asked: the report has the stated type. */
const schemaPart = (name: string, given: GivenPart, source: Source): RecordPart => {
  const schema = readSchemaName(name, given);
  const type = schema.type ?? "AVRO";
  if (given.data !== null) return { type, bytes: dataOf(source), schema };
  return schemaFieldIn(given) === undefined ? { type, bytes: null } : { type, bytes: null, schema };
};

const dataOf = ({ bytes, span }: Source): Buffer | null => {
  const data = membersOf(bytes, span?.at ?? bytes.length, ["data"]).spans[0];
  return data === undefined ? null : bytes.subarray(data.at, data.end);
};

const binary = (name: string, data: unknown): Buffer => {
  const bytes = fromBase64(text(name, data, "base64"));
  if (bytes === undefined) throw invalid(`${name}.data must be base64`);
  return bytes;
};

const text = (name: string, data: unknown, wanted: string): string => {
  if (typeof data !== "string") throw invalid(`${name}.data must be ${wanted}`);
  return data;
};

const invalid = (message: string): GatewayError => new GatewayError("REQUEST_INVALID", { message });

const refuseRegistry = (given: GivenPart): void => {
  const what = isSchemaType(given.type) ? `The type ${given.type}` : schemaFieldIn(given);
  if (what === undefined) return;
  throw new GatewayError("REGISTRY_MISSING", {
    message: `${what} needs a schema registry, and none is configured`,
  });
};
