/** The compact form of a signed token (RFC 7515, RFC 7519), before any of its claims can be trusted. */
import { isUtf8 } from "node:buffer";
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  endOfString,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
} from "../../lib/json-scan.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

export interface Jws {
  /** Number of characters of the token. */
  readonly length: number;
  readonly header: JsonObject;
  readonly payload: JsonObject;
  /** The JSON text of the payload. */
  readonly payloadText: string;
  /** The bytes that are signed: the first two parts of the token, with the dot between them. */
  readonly signed: Buffer;
  readonly signature: Buffer;
}

/** The signature may be empty here, so that a token with `alg: none` is refused for its algorithm. */
const FORM = /^([\w-]+)\.([\w-]+)\.([\w-]*)$/;

/**
 * undefined: the token has not three parts of unpadded, canonical base64url, or its header or payload is not a JSON object in
 * UTF-8, or has the same member twice at its top level.
 */
export const parseJws = (token: string): Jws | undefined => {
  const [, first = "", second = "", third = ""] = FORM.exec(token) ?? [];
  if (first === "" || ![first, second, third].every(isCanonical)) return undefined;
  const header = objectIn(first);
  const payload = objectIn(second);
  if (header === undefined || payload === undefined) return undefined;
  return {
    length: token.length,
    header: header.value,
    payload: payload.value,
    payloadText: payload.text,
    signed: Buffer.from(token.slice(0, first.length + second.length + 1), "latin1"),
    signature: Buffer.from(third, "base64url"),
  };
};

/**
 * The last characters whose unused bits are 0, by the length of the part modulo 4. Other characters decode to the same bytes, so
 * that one token would have several texts.
 */
const LAST: readonly string[] = ["", "", "AQgw", "AEIMQUYcgkosw048"];

const isCanonical = (part: string): boolean => {
  const rest = part.length % 4;
  return rest === 0 || LAST[rest]?.includes(part.at(-1) ?? " ") === true;
};

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const objectIn = (part: string): { readonly value: JsonObject; readonly text: string } | undefined => {
  const bytes = Buffer.from(part, "base64url");
  if (!isUtf8(bytes)) return undefined;
  const text = bytes.toString();
  const value = parsed(text);
  if (!isJsonObject(value)) return undefined;
  const names = Object.keys(value).length;
  return names === 0 || names === commasIn(bytes) + 1 ? { value, text } : undefined;
};

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Number of the commas between the members of a JSON object. JSON.parse keeps only the last one of repeated members. */
const commasIn = (object: Buffer): number => {
  let depth = 0;
  let commas = 0;
  for (let i = 0; i < object.length; i++) {
    const byte = object[i];
    if (byte === QUOTE) i = endOfString(object, i) - 1;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth += 1;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth -= 1;
    else if (byte === COMMA && depth === 1) commas += 1;
  }
  return commas;
};
