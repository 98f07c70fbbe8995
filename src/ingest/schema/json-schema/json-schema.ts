/** JSON Schemas from files. */
import { readFile } from "node:fs/promises";
import { compileJsonSchema, type JsonSchemaCheck } from "../../../formats/json-schema/compile.ts";
import { DRAFT_2020 } from "../../../formats/json-schema/drafts.ts";
import {
  eventJson,
  type FileValidator,
  type JsonSchemaDeclaration,
  schemaRefused,
  schemaUnusable,
  type ValidatorContext,
} from "../validator.ts";

/**
 * Reads and compiles a schema file. A `$ref` must refer to a part of the same file. As in Memphis, a schema without `$schema`
 * uses the newest draft. Rejects with SETTINGS_INVALID.
 */
export const loadJsonSchema = async (
  { file }: JsonSchemaDeclaration,
  context: ValidatorContext,
): Promise<FileValidator> => {
  try {
    const schema = JSON.parse(await readFile(file, "utf8")) as unknown;
    return createValidator(compileJsonSchema(schema, { defaultDraft: DRAFT_2020, isTrusted: true }), context);
  } catch (error) {
    throw schemaUnusable(context, file, error);
  }
};

const createValidator = (
  refusalOf: JsonSchemaCheck,
  { station, limits }: ValidatorContext,
): FileValidator => ({
  kind: "json-schema",
  validate: (value, contentType) => {
    const event = eventJson(value, limits);
    if (event.status === "refused") return event;
    const refusal = refusalOf(event.json, value.length);
    if (refusal === undefined) return { status: "accepted", value, contentType };
    return schemaRefused(refusal(station));
  },
});
