/** Bodies that are a handful of fields: a JSON object, or a form. */
import { isUtf8 } from "node:buffer";
import type { Request } from "express";
import { GatewayError } from "../errors.ts";
import { mediaTypeOf } from "../ingest/content/content-type.ts";
import type { ReadBody } from "./middleware/body/body.ts";

export interface FieldsOptions {
  /** Fields that aren't texts. A form has nothing but texts: these are read as the JSON that they are written in. */
  readonly literals: readonly string[];
  /** What an empty body stands for; absent: it is refused like any other that doesn't parse. */
  readonly whenEmpty?: unknown;
}

/**
 * The body's fields, of types unknown. Rejects with FIELDS_INVALID for what is neither JSON nor a form or doesn't
 * parse, and as `ReadBody` does.
 */
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
