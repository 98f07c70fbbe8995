/** Reads request bodies that consist of a few fields: a JSON object or a form. */
import { isUtf8 } from "node:buffer";
import type { Request } from "express";
import { GatewayError } from "../errors.ts";
import { mediaTypeOf } from "../ingest/content/content-type.ts";
import type { ReadBody } from "./middleware/body/body.ts";

export interface FieldsOptions {
  /** Fields that are not strings. A form contains only strings, so the value of such a field is parsed as JSON. */
  readonly literals: readonly string[];
  /** The result for an empty body. Absent: an empty body is refused. */
  readonly whenEmpty?: unknown;
}

/** Resolves with the fields, whose types are unchecked. Rejects with FIELDS_INVALID if the body is neither JSON nor a form, and as `ReadBody`. */
export const readFields = async (
  request: Request,
  readBody: ReadBody,
  { literals, whenEmpty }: FieldsOptions,
): Promise<unknown> => {
  const body = await readBody(request);
  if (body.length === 0 && whenEmpty !== undefined) return whenEmpty;
  if (!isUtf8(body)) throw new GatewayError("FIELDS_INVALID");
  switch (mediaTypeOf(request.headers["content-type"] ?? "")) {
    case "application/json":
      return parseJson(body.toString());
    case "application/x-www-form-urlencoded":
      return parseForm(body.toString(), literals);
    default:
      throw new GatewayError("FIELDS_INVALID");
  }
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new GatewayError("FIELDS_INVALID", { cause });
  }
};

const parseForm = (text: string, literals: readonly string[]): unknown =>
  Object.fromEntries(
    [...new URLSearchParams(text)].map(([name, value]) => [
      name,
      literals.includes(name) ? parseJson(value) : value,
    ]),
  );
