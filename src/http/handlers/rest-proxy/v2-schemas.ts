/** The schemas of a v2 call whose content type is Avro, JSON Schema or Protobuf. They apply to all its records. */
import { GatewayError } from "../../../errors.ts";
import type { SchemaType } from "../../../formats/format.ts";
import type { FindSchema, SchemaName } from "../../../ingest/schema/record-schemas.ts";
import type { Station } from "../../../ingest/stations.ts";
import type { RecordPartName, RegisteredSchema } from "../../../registry/contract.ts";
import type { Events } from "../../intake.ts";
import { wholeNumber } from "./schema-name.ts";

/** The types of the formats in content types. */
const TYPES: Readonly<Partial<Record<string, SchemaType>>> = {
  avro: "AVRO",
  jsonschema: "JSONSCHEMA",
  protobuf: "PROTOBUF",
};

/** The type of schema that a format of a content type needs. undefined: it needs none. */
export const schemaTypeOf = (format: string): SchemaType | undefined =>
  Object.hasOwn(TYPES, format) ? TYPES[format] : undefined;

/** The schemas that a call names, which must have this type. */
export interface SchemaNames extends Readonly<Record<RecordPartName, SchemaName | undefined>> {
  readonly type: SchemaType;
}

interface GivenSchemas {
  readonly key_schema?: unknown;
  readonly key_schema_id?: unknown;
  readonly value_schema?: unknown;
  readonly value_schema_id?: unknown;
}

/** Throws REQUEST_INVALID for a text and an id of the same part, and for a value of another type. */
export const schemaNamesOf = (given: GivenSchemas, type: SchemaType): SchemaNames => ({
  type,
  key: nameOf("key", { text: given.key_schema, id: given.key_schema_id, type }),
  value: nameOf("value", { text: given.value_schema, id: given.value_schema_id, type }),
});

const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

const invalid = (message: string): GatewayError => new GatewayError("REQUEST_INVALID", { message });

const nameOf = (
  part: RecordPartName,
  { text, id, type }: { readonly text: unknown; readonly id: unknown; readonly type: SchemaType },
): SchemaName | undefined => {
  if (isGiven(text) && isGiven(id))
    throw invalid(`${part}_schema and ${part}_schema_id are both given; use one of them`);
  if (isGiven(id)) return { by: { kind: "id", id: wholeNumber(`${part}_schema_id`, id) } };
  if (!isGiven(text)) return undefined;
  if (typeof text !== "string") throw invalid(`${part}_schema must be a string with the text of the schema`);
  return { by: { kind: "text", type, text } };
};

export type CallSchemas = Readonly<Record<RecordPartName, RegisteredSchema | undefined>>;

const MISSING = { key: "KEY_SCHEMA_MISSING", value: "VALUE_SCHEMA_MISSING" } as const;

const NONE: CallSchemas = { key: undefined, value: undefined };

/**
 * Rejects with KEY_SCHEMA_MISSING or VALUE_SCHEMA_MISSING if a record has a key or a value without a schema, with
 * REQUEST_INVALID for a schema of another type, and with the reason why a schema can't be found.
 */
export const findSchemas = async (
  names: SchemaNames | undefined,
  events: Events,
  { station, find }: { readonly station: Station; readonly find: FindSchema | undefined },
): Promise<CallSchemas> => {
  if (names === undefined || find === undefined) return NONE;
  requireSchemas(names, events);
  const found = async (part: RecordPartName): Promise<RegisteredSchema | undefined> => {
    const name = names[part];
    if (name === undefined) return undefined;
    const schema = await find(station, part, name);
    if (schema instanceof GatewayError) throw schema;
    if (schema.schema.type === names.type) return schema;
    const { id } = schema;
    throw invalid(
      `The content type needs ${names.type}, but the ${part}'s schema ${id} is ${schema.schema.type}`,
    );
  };
  const [key, value] = await Promise.all([found("key"), found("value")]);
  return { key, value };
};

const requireSchemas = (names: SchemaNames, events: Events): void => {
  for (const part of ["value", "key"] as const) {
    if (names[part] !== undefined) continue;
    const needs = (event: Events[number]): boolean =>
      !(event instanceof GatewayError) && event[part] !== null && event[part] !== undefined;
    const index = events.findIndex(needs);
    if (index >= 0)
      throw new GatewayError(MISSING[part], {
        message: `records.${index} has a ${part}, and the call has neither ${part}_schema nor ${part}_schema_id`,
      });
  }
};

/** The events with the schemas of the call. */
export const withSchemas = (events: Events, { key, value }: CallSchemas): Events => {
  if (key === undefined && value === undefined) return events;
  const schemas = { ...(key && { keySchema: key }), ...(value && { valueSchema: value }) };
  return events.map((event) => (event instanceof GatewayError ? event : { ...event, ...schemas }));
};
