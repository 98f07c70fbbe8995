/** JSON Schema by ajv: draft 7, 2019-09 and 2020-12, formats asserted. Refusals in Memphis' words. */
import { readFile } from "node:fs/promises";
import { Ajv, type ErrorObject, type Options, type ValidateFunction } from "ajv";
import { Ajv2019 } from "ajv/dist/2019.js";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { GatewayError } from "../../../errors.ts";
import {
  eventJson,
  type EventValidator,
  type JsonSchemaDeclaration,
  schemaRefused,
  schemaUnusable,
  type ValidatorContext,
} from "../validator.ts";
import { complaintOf } from "./complaint.ts";
import { locate, pointer, quote, tokensOf } from "./locate.ts";

/**
 * Keywords that a draft doesn't know are ignored, as JSON Schema has it, and so are unknown formats. `verbose` tells a
 * refusal the schema and the value; `ownProperties` keeps "constructor" from being there in every object.
 */
const OPTIONS: Options = { strict: false, verbose: true, ownProperties: true, logger: false };

/** By `$schema`. A schema that names none is read as Memphis read it: as the newest draft. */
const DRAFTS: Readonly<Record<string, new (options: Options) => Ajv>> = {
  "http://json-schema.org/draft-07/schema": Ajv,
  "https://json-schema.org/draft/2019-09/schema": Ajv2019,
  "https://json-schema.org/draft/2020-12/schema": Ajv2020,
};

/** Reads and compiles a schema file. `$ref` reaches whatever lies in the file. Rejects with SETTINGS_INVALID. */
export const loadJsonSchema = async (
  { file }: JsonSchemaDeclaration,
  context: ValidatorContext,
): Promise<EventValidator> => {
  try {
    const schema = JSON.parse(await readFile(file, "utf8")) as unknown;
    return createValidator(schema, compile(schema), context);
  } catch (error) {
    throw schemaUnusable(context, file, error);
  }
};

const compile = (schema: unknown): ValidateFunction => {
  const draft = draftOf(schema);
  const ajv = new draft(OPTIONS);
  addFormats.default(ajv);
  return ajv.compile(schema as object | boolean);
};

const draftOf = (schema: unknown): new (options: Options) => Ajv => {
  if (typeof schema !== "object" || schema === null || !("$schema" in schema)) return Ajv2020;
  const named = typeof schema.$schema === "string" ? schema.$schema : "no text";
  const draft = DRAFTS[named.replace(/#$/, "")];
  if (draft !== undefined) return draft;
  throw new GatewayError("SETTINGS_INVALID", {
    message: `its $schema is ${named}; known are ${Object.keys(DRAFTS).join(", ")}`,
  });
};

const createValidator = (
  schema: unknown,
  validate: ValidateFunction,
  { station, limits }: ValidatorContext,
): EventValidator => ({
  kind: "json-schema",
  validate: (value, contentType) => {
    const event = eventJson(value, limits);
    if (event.status === "refused") return event;
    if (validate(event.json)) return { status: "accepted", value, contentType };
    const error = decisive(validate.errors ?? []);
    return schemaRefused(error === undefined ? "jsonschema: not valid" : told(error, schema, station));
  },
});

const told = (error: ErrorObject, schema: unknown, station: string): string => {
  const instance = tokensOf(error.instancePath);
  const { keyword, part = error.propertyName, reason } = complaintOf(error);
  const way = locate(schema, error.parentSchema, instance);
  const location =
    way === undefined ? error.schemaPath.replace(/^[^#]*#/, "") : pointer([...way, ...keyword]);
  const blamed = quote(pointer(part === undefined ? instance : [...instance, part]));
  return `jsonschema: ${blamed} does not validate with ${station}#${location}: ${reason}`;
};

/**
 * Of ajv's errors the one that Memphis would tell: the first, which is the innermost, unless a `oneOf` has failed for
 * having two branches that match: then those that don't are not to blame.
 */
const decisive = (errors: readonly ErrorObject[]): ErrorObject | undefined =>
  errors.find(({ keyword, params }) => keyword === "oneOf" && params["passingSchemas"] !== null) ?? errors[0];
