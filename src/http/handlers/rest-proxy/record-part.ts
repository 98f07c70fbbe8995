/** The key or the value of a v3 record: `{type, data}`. */
import { z } from "zod";
import { GatewayError } from "../../../errors.ts";
import { fromBase64 } from "../../../ingest/content/content-type.ts";
import { membersOf, type Span } from "../../../lib/json-scan.ts";

/** The source bytes of a part. JSON data is stored as these bytes and is not serialized again. */
export interface Source {
  readonly bytes: Buffer;
  readonly span: Span | undefined;
}

/** Fields that need a schema registry. The shape accepts them, so that the error can name the registry. */
const REGISTRY_FIELDS = [
  "schema",
  "schema_id",
  "schema_version",
  "subject",
  "subject_name_strategy",
] as const;
const REGISTRY_TYPES = new Set(["AVRO", "JSONSCHEMA", "PROTOBUF"]);

const anything = z.unknown().optional();

export const partShape = z.strictObject({
  type: z.string().nullish(),
  data: anything,
  schema: anything,
  schema_id: anything,
  schema_version: anything,
  subject: anything,
  subject_name_strategy: anything,
});

export interface RecordPart {
  readonly type: "BINARY" | "JSON" | "STRING";
  /** null if `data` is null. */
  readonly bytes: Buffer | null;
}

/** Throws REGISTRY_MISSING if the part needs a schema registry, and REQUEST_INVALID if the data has another type. */
export const readPart = (
  name: "key" | "value",
  given: z.output<typeof partShape> | null | undefined,
  source: Source,
): RecordPart | undefined => {
  if (given === null || given === undefined) return undefined;
  const type = given.type ?? "BINARY";
  refuseRegistry(given, type);
  const { data } = given;
  if (data === undefined) throw invalid(`${name}.data is missing; for a null ${name} set it to null`);
  switch (type) {
    case "JSON":
      return { type, bytes: data === null ? null : dataOf(source) };
    case "STRING":
      return { type, bytes: data === null ? null : Buffer.from(text(name, data, "a string")) };
    case "BINARY":
      return { type, bytes: data === null ? null : binary(name, data) };
    default:
      throw invalid(`${name}.type must be BINARY, JSON or STRING (got ${type.slice(0, 80)})`);
  }
};

const isAbsent = (data: unknown): data is null | undefined => data === null || data === undefined;

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

const refuseRegistry = (given: Readonly<Record<string, unknown>>, type: string): void => {
  const field = REGISTRY_FIELDS.find((name) => !isAbsent(given[name]));
  const what = REGISTRY_TYPES.has(type) ? `The type ${type}` : field;
  if (what === undefined) return;
  throw new GatewayError("REGISTRY_MISSING", {
    message: `${what} needs a schema registry, and none is configured`,
  });
};
