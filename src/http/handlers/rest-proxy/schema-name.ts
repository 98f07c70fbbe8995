/** The schema that a key or a value of the v3 API names: `{type, schema_id | schema_version | schema, subject | …}`. */
import { z } from "zod";
import { GatewayError } from "../../../errors.ts";
import type { SchemaType } from "../../../formats/format.ts";
import type { SchemaName } from "../../../ingest/schema/record-schemas.ts";

const anything = z.unknown().optional();

/** These fields need a schema registry. The shape takes any value, so that the error can name the field and the registry. */
export const schemaFields = {
  schema: anything,
  schema_id: anything,
  schema_version: anything,
  subject: anything,
  subject_name_strategy: anything,
} as const;

type Fields = Readonly<Partial<Record<keyof typeof schemaFields | "type", unknown>>>;

const SCHEMAS = ["schema_id", "schema_version", "schema"] as const;
const SUBJECTS = ["subject", "subject_name_strategy"] as const;
const FIELDS = [...SCHEMAS, ...SUBJECTS];

const STRATEGIES = {
  TOPIC_NAME: "topic-name",
  RECORD_NAME: "record-name",
  TOPIC_RECORD_NAME: "topic-record-name",
} as const;

export const STRATEGY_NAMES = [
  "TOPIC_NAME",
  "RECORD_NAME",
  "TOPIC_RECORD_NAME",
] as const satisfies readonly (keyof typeof STRATEGIES)[];

export const SCHEMA_TYPES = ["AVRO", "JSONSCHEMA", "PROTOBUF"] as const satisfies readonly SchemaType[];

export const isSchemaType = (type: unknown): type is SchemaType =>
  SCHEMA_TYPES.some((known) => known === type);

/** null counts as absent. */
const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

/** The first given field that needs a registry. */
export const schemaFieldIn = (given: Fields): string | undefined =>
  FIELDS.find((name) => isGiven(given[name]));

/** Throws REQUEST_INVALID. `part` is the name of the key or the value, for the error. */
export const readSchemaName = (part: string, given: Fields): SchemaName => {
  for (const group of [SCHEMAS, SUBJECTS]) refuseTwo(part, given, group);
  const { type } = given;
  return {
    by: schemaIn(part, given),
    ...subjectIn(part, given),
    ...(isSchemaType(type) ? { type } : undefined),
  };
};

const invalid = (message: string): GatewayError => new GatewayError("REQUEST_INVALID", { message });

const refuseTwo = (part: string, given: Fields, group: readonly (keyof Fields)[]): void => {
  const [first, second] = group.filter((name) => isGiven(given[name]));
  if (second !== undefined)
    throw invalid(`${part} has ${String(first)} and ${second}; use at most one of ${group.join(", ")}`);
};

const schemaIn = (part: string, given: Fields): SchemaName["by"] => {
  const { schema_id: id, schema_version: version, schema: text, type } = given;
  if (isGiven(id)) return { kind: "id", id: wholeNumber(`${part}.schema_id`, id) };
  if (isGiven(version)) return { kind: "version", version: wholeNumber(`${part}.schema_version`, version) };
  if (!isGiven(text)) return { kind: "latest" };
  if (typeof text !== "string") throw invalid(`${part}.schema must be a string with the text of the schema`);
  if (!isSchemaType(type))
    throw invalid(`${part}.type must be ${SCHEMA_TYPES.join(", ")} beside ${part}.schema (it is missing)`);
  return { kind: "text", type, text };
};

const LARGEST = 2 ** 31 - 1;

/** Throws REQUEST_INVALID unless the value is an integer from 1 to 2^31-1. `name` is for the error. */
export const wholeNumber = (name: string, value: unknown): number => {
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= LARGEST) return value;
  throw invalid(`${name} must be an integer from 1 to ${LARGEST} (got ${shown(value)})`);
};

const subjectIn = (part: string, given: Fields): Pick<SchemaName, "of"> => {
  const { subject, subject_name_strategy: strategy } = given;
  if (isGiven(subject)) {
    if (typeof subject === "string" && subject !== "") return { of: { subject } };
    throw invalid(`${part}.subject must be a non-empty string`);
  }
  if (!isGiven(strategy)) return {};
  const known = Object.entries(STRATEGIES).find(([name]) => name === strategy)?.[1];
  if (known !== undefined) return { of: { strategy: known } };
  const allowed = STRATEGY_NAMES.join(", ");
  throw invalid(`${part}.subject_name_strategy must be ${allowed} (got ${shown(strategy)})`);
};

const shown = (value: unknown): string => JSON.stringify(value).slice(0, 80);
