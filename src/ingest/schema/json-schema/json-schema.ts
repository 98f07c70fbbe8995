/** JSON Schema by ajv: draft 7, 2019-09 and 2020-12. Formats are checked. Refusals have the texts of the Memphis API. */
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
 * Unknown keywords and formats are ignored, as JSON Schema requires. `verbose` adds the schema and the value to errors.
 * With `ownProperties`, inherited members such as "constructor" don't count as members of the event.
 */
const OPTIONS: Options = { strict: false, verbose: true, ownProperties: true, logger: false };

/** The drafts by `$schema`. As in Memphis, a schema without `$schema` uses the newest draft. */
const DRAFTS: Readonly<Record<string, new (options: Options) => Ajv>> = {
  "http://json-schema.org/draft-07/schema": Ajv,
  "https://json-schema.org/draft/2019-09/schema": Ajv2019,
  "https://json-schema.org/draft/2020-12/schema": Ajv2020,
};

/** Reads and compiles a schema file. A `$ref` must refer to a part of the same file. Rejects with SETTINGS_INVALID. */
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
  const named = typeof schema.$schema === "string" ? schema.$schema : "not a string";
  const draft = DRAFTS[named.replace(/#$/, "")];
  if (draft !== undefined) return draft;
  throw new GatewayError("SETTINGS_INVALID", {
    message: `its $schema is ${named}; supported are ${Object.keys(DRAFTS).join(", ")}`,
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
    return schemaRefused(error === undefined ? "jsonschema: not valid" : refusalText(error, schema, station));
  },
});

const refusalText = (error: ErrorObject, schema: unknown, station: string): string => {
  const instance = tokensOf(error.instancePath);
  const { keyword, part = error.propertyName, reason } = complaintOf(error);
  const path = locate(schema, error.parentSchema, instance);
  const location =
    path === undefined ? error.schemaPath.replace(/^[^#]*#/, "") : pointer([...path, ...keyword]);
  const blamed = quote(pointer(part === undefined ? instance : [...instance, part]));
  return `jsonschema: ${blamed} does not validate with ${station}#${location}: ${reason}`;
};

/**
 * The error that the Memphis API reports: the first one, which is the innermost. The exception is a `oneOf` with several
 * matching branches: then the errors of the other branches are not the reason.
 */
const decisive = (errors: readonly ErrorObject[]): ErrorObject | undefined =>
  errors.find(({ keyword, params }) => keyword === "oneOf" && params["passingSchemas"] !== null) ?? errors[0];
