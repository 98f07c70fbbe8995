/** The drafts of JSON Schema: 4, 6, 7, 2019-09 and 2020-12. */
import { createRequire } from "node:module";
import { Ajv, type Options } from "ajv";
import { Ajv2019 } from "ajv/dist/2019.js";
import { Ajv2020 } from "ajv/dist/2020.js";
import type AjvCore from "ajv/dist/core.js";
import Ajv04 from "ajv-draft-04";
import addFormats from "ajv-formats";
import { SchemaUnusable } from "../format.ts";
import { linearEngine } from "./patterns.ts";
import { stepKeyword } from "./steps.ts";
import { UNIQUE_ITEMS } from "./unique-items.ts";

/**
 * Unknown keywords and formats are ignored, as JSON Schema requires. `verbose` adds the schema and the value to errors.
 * With `ownProperties`, inherited members such as "constructor" don't count as members of the event.
 */
const OPTIONS: Options = {
  strict: false,
  verbose: true,
  ownProperties: true,
  logger: false,
  validateSchema: false,
};

export type JsonSchemaDraft = AjvCore.default;

const DRAFT_06 = createRequire(import.meta.url)("ajv/dist/refs/json-schema-draft-06.json") as { $id: string };

/** The drafts by `$schema`, without the scheme of the address and without a `#` at the end. */
const DRAFTS: ReadonlyMap<string, (options: Options) => JsonSchemaDraft> = new Map([
  ["json-schema.org/draft-04/schema", (options) => without(new Ajv04.default(options), IN_6, IN_7)],
  [
    "json-schema.org/draft-06/schema",
    (options) =>
      without(new Ajv({ ...options, defaultMeta: DRAFT_06.$id }).addMetaSchema(DRAFT_06), IN_7, ["id"]),
  ],
  ["json-schema.org/draft-07/schema", (options) => without(new Ajv(options), ["id"])],
  ["json-schema.org/draft/2019-09/schema", (options) => without(new Ajv2019(options), ["id"])],
  ["json-schema.org/draft/2020-12/schema", (options) => without(new Ajv2020(options), ["id"])],
]);

export const DRAFT_7 = "http://json-schema.org/draft-07/schema#";
export const DRAFT_2020 = "https://json-schema.org/draft/2020-12/schema";

/** Keywords of newer drafts, which an older draft ignores. ajv's vocabularies have them in every draft. */
const IN_6 = ["const", "contains", "propertyNames"];
const IN_7 = ["if", "then", "else"];

/** ajv has the keyword `id` only to refuse it. Since draft 6 it is a keyword without a meaning. */
const without = (ajv: JsonSchemaDraft, ...keywords: readonly (readonly string[])[]): JsonSchemaDraft => {
  for (const keyword of keywords.flat()) ajv.removeKeyword(keyword);
  return ajv;
};

/**
 * A new ajv for the draft that `$schema` names. `isTrusted`: a validation may take any time. Throws SchemaUnusable if
 * the draft is not supported.
 */
export const ajvFor = ($schema: unknown, isTrusted: boolean): JsonSchemaDraft => {
  const named = typeof $schema === "string" ? $schema : "not a string";
  const create = DRAFTS.get(named.replace(/^https?:\/\//, "").replace(/#$/, ""));
  if (create === undefined) {
    const supported = [...DRAFTS.keys()].map((draft) => `http://${draft}`).join(", ");
    throw new SchemaUnusable(`its $schema is ${named}; supported are ${supported}`);
  }
  const ajv = create(isTrusted ? OPTIONS : { ...OPTIONS, code: { regExp: linearEngine } });
  addFormats.default(ajv);
  if (isTrusted) return ajv;
  ajv.removeKeyword("uniqueItems").addKeyword(UNIQUE_ITEMS);
  ajv.addKeyword(stepKeyword(ajv.getKeyword("$dynamicRef") === false ? "$ref" : "$dynamicRef"));
  return ajv;
};
