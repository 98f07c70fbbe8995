/** JSON Schema as a format of the registry. Payloads are the event's own source bytes. */
import { isUtf8 } from "node:buffer";
import { excessOf } from "../../lib/json-scan.ts";
import {
  type CompiledSchema,
  DataRefused,
  type FormatLimits,
  MAX_DECODED_VALUES,
  type SchemaSource,
  SchemaUnusable,
  Undecodable,
} from "../format.ts";
import { FRAME_BYTES, frameFor } from "../frame.ts";
import { isJson, parseDocument, parseJson } from "../json.ts";
import { compileJsonSchema as compile } from "./compile.ts";
import { DRAFT_7 } from "./drafts.ts";

/** Compiles a schema of the registry, where a schema without `$schema` is draft 7. Throws SchemaUnusable. */
export const compileJsonSchema = (
  { text, references }: SchemaSource,
  limits: FormatLimits,
): CompiledSchema => {
  const schema = parsed(text, "the schema");
  const refusalOf = compile(
    schema,
    { defaultDraft: DRAFT_7, isTrusted: false },
    references.map((reference) => ({
      name: reference.name,
      schema: parsed(reference.text, `the reference ${reference.name}`),
    })),
  );
  return {
    type: "JSONSCHEMA",
    name: titleOf(schema),
    encode: (json, id) => {
      const refusal = refusalOf(parseJson(json, limits), json.length);
      if (refusal !== undefined) throw new DataRefused(refusal("schema"), refusal);
      const framed = frameFor(id, json.length);
      json.copy(framed, FRAME_BYTES);
      return framed;
    },
    decode: (payload) => {
      requireDecodable(payload, limits);
      return payload;
    },
  };
};

const parsed = (text: string, what: string): unknown => {
  try {
    return parseDocument(Buffer.from(text));
  } catch (error) {
    throw new SchemaUnusable(`${what} is not JSON within the limits: ${(error as Error).message}`);
  }
};

const titleOf = (schema: unknown): string | undefined => {
  const title = typeof schema === "object" && schema !== null && "title" in schema ? schema.title : undefined;
  return typeof title === "string" && title !== "" ? title : undefined;
};

const requireDecodable = (payload: Buffer, { maxBytes, maxDepth }: FormatLimits): void => {
  if (payload.length > maxBytes) throw new Undecodable(`larger than ${maxBytes} bytes`);
  const excess = excessOf(payload, { depth: maxDepth, values: MAX_DECODED_VALUES, members: Infinity });
  if (excess === "depth") throw new Undecodable(`nested deeper than ${maxDepth} levels`);
  if (excess !== undefined) throw new Undecodable(`more than ${MAX_DECODED_VALUES} values`);
  if (!isUtf8(payload) || !isJson(payload)) throw new Undecodable("not JSON");
};
