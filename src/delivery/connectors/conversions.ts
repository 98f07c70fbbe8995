/** Conversions: what a connector sends of a value, as `decode` or `value.converter` says. */
import type { Decoding as DecodedForm } from "../../registry/decoder.ts";
import { memberOf, QUOTE, skipSpace, stringAt, valueAt } from "../../lib/json-scan.ts";
import type { DecodeFailure } from "./decoding.ts";

export type Conversion =
  /** The bytes of the value. */
  | { readonly kind: "none" }
  /** Decoded by the schema registry. */
  | {
      readonly kind: "registry";
      readonly decode: Exclude<DecodedForm, "none">;
      readonly decodeFailure: DecodeFailure;
    }
  /**
   * Kafka Connect's JsonConverter. `withSchemas`: the value is an envelope `{"schema","payload"}`. `keepsStrings`: a JSON
   * string of the topic stays JSON; absent: it is sent as its text.
   */
  | {
      readonly kind: "json";
      readonly withSchemas: boolean;
      readonly keepsStrings?: (topic: string) => boolean;
      readonly decodeFailure: DecodeFailure;
    };

/** `value` null: a null value. */
export type Converted = { readonly value: Buffer | null } | { readonly reason: string };

const parsedJson = (value: Buffer): { readonly json: unknown } | undefined => {
  try {
    return { json: JSON.parse(value.toString("utf8")) as unknown };
  } catch {
    return undefined;
  }
};

const isEnvelope = (json: unknown): boolean =>
  typeof json === "object" &&
  json !== null &&
  !Array.isArray(json) &&
  Object.keys(json).length === 2 &&
  "schema" in json &&
  "payload" in json;

/** A string can be sent as its text. `null` is a null value, and any other JSON is sent with its own bytes. */
const sentOf = (bytes: Buffer, at: number, keepsStrings: boolean): Buffer | null => {
  if (bytes[at] === QUOTE && !keepsStrings) return Buffer.from(stringAt(bytes, at));
  const value = valueAt(bytes, at);
  return value.equals(NULL) ? null : value;
};

const NULL = Buffer.from("null");

interface JsonOptions {
  readonly withSchemas: boolean;
  readonly keepsStrings: boolean;
}

export const convertJson = (bytes: Buffer, { withSchemas, keepsStrings }: JsonOptions): Converted => {
  const parsed = parsedJson(bytes);
  if (parsed === undefined) return { reason: "the value is not JSON" };
  if (!withSchemas) {
    const isShort = typeof parsed.json === "string" || parsed.json === null;
    return { value: isShort ? sentOf(bytes, skipSpace(bytes, 0), keepsStrings) : bytes };
  }
  if (parsed.json === null) return { value: null };
  if (!isEnvelope(parsed.json))
    return {
      reason:
        'the value is not JSON of the form {"schema","payload"}; set value.converter.schemas.enable=false to send plain JSON',
    };
  return { value: sentOf(bytes, memberOf(bytes, skipSpace(bytes, 0), "payload"), keepsStrings) };
};
