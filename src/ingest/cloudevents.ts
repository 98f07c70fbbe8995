/** The context attributes of a CloudEvent (CloudEvents 1.0, section "Context Attributes"). */
import type { RecordHeader } from "../broker/broker.ts";
import { asGatewayError, GatewayError } from "../errors.ts";
import { type ContentLimits, fromBase64 } from "./content/content-type.ts";
import { parseJson } from "./content/json.ts";
import type { IncomingEvent } from "./incoming-event.ts";

/** Attributes by name, as JSON has them; the data are none. */
type Attributes = ReadonlyMap<string, unknown>;

/** Throws CLOUDEVENT_INVALID, with the name of the first attribute that is missing or wrong. */
const checkAttributes = (attributes: Attributes): void => {
  for (const name of REQUIRED) {
    if (!attributes.has(name)) throw invalid(`the attribute "${name}" is missing`);
  }
  for (const [name, value] of attributes) {
    if (!/^[a-z0-9]+$/.test(name)) throw invalid(`"${name}" can't be the name of an attribute`);
    if (!isRight(name, value)) throw invalid(`the attribute "${name}" is not valid`);
  }
};

/** The record headers of CloudEvents' Kafka binding. */
const attributeHeaders = (attributes: Attributes): readonly RecordHeader[] =>
  [...attributes].map(([name, value]) => ({ name: `ce_${name}`, value: Buffer.from(String(value)) }));

const invalid = (what: string): GatewayError =>
  new GatewayError("CLOUDEVENT_INVALID", { message: `Invalid CloudEvent: ${what}` });

const REQUIRED = ["specversion", "id", "source", "type"] as const;

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";

/** Characters that no URI-reference has (RFC 3986): spaces, controls, and the delimiters of other texts. */
const isUriReference = (value: unknown): boolean => isText(value) && !/[\s<>"{}|\\^`\p{Cc}]/u.test(value);

const isUri = (value: unknown): boolean =>
  isUriReference(value) && /^[a-z][a-z0-9+.-]*:/i.test(String(value));

const RFC_3339 = /^\d{4}-\d{2}-\d{2}t\d{2}:\d{2}:\d{2}(\.\d+)?(z|[+-]\d{2}:\d{2})$/i;

const isTimestamp = (value: unknown): boolean =>
  isText(value) && RFC_3339.test(value) && !Number.isNaN(Date.parse(value.toUpperCase()));

const isMediaType = (value: unknown): boolean => isText(value) && /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+/.test(value);

const CHECKS: Readonly<Partial<Record<string, (value: unknown) => boolean>>> = {
  specversion: (value) => value === "1.0",
  id: isText,
  source: isUriReference,
  type: isText,
  subject: isText,
  time: isTimestamp,
  datacontenttype: isMediaType,
  dataschema: isUri,
};

const INT32 = 2 ** 31;

/** Extensions are texts, booleans or 32-bit integers. */
const isExtension = (value: unknown): boolean =>
  typeof value === "string" ||
  typeof value === "boolean" ||
  (Number.isInteger(value) && Number(value) >= -INT32 && Number(value) < INT32);

const isRight = (name: string, value: unknown): boolean =>
  (Object.hasOwn(CHECKS, name) ? CHECKS[name] : undefined)?.(value) ?? isExtension(value);

/** CloudEvents in binary mode: attributes are headers, the data are the body (CloudEvents HTTP binding 1.0). */

const PREFIX = "ce_";

/** Without any of these, `ce-*` headers are headers like others. */
const MARKS = new Set(["ce_specversion", "ce_id", "ce_source", "ce_type"]);

/**
 * Checks the attributes among the record headers of a request (`recordHeadersOf` has decoded them), where it carries a
 * CloudEvent at all, and returns whether it does. Throws CLOUDEVENT_INVALID.
 */
export const checkBinaryEvent = (headers: readonly RecordHeader[]): boolean => {
  if (!headers.some(({ name }) => MARKS.has(name))) return false;
  const attributes = headers
    .filter(({ name }) => name.startsWith(PREFIX))
    .map(({ name, value }) => [name.slice(PREFIX.length), value?.toString() ?? null] as const);
  checkAttributes(new Map(attributes));
  return true;
};

/** CloudEvents in structured mode: the whole event is one JSON object (CloudEvents JSON format 1.0). */

export const STRUCTURED_TYPE = "application/cloudevents+json";
export const BATCHED_TYPE = "application/cloudevents-batch+json";

/** The attributes of a structured event. Throws CLOUDEVENT_INVALID, and what `parseJson` does. */
export const checkStructuredEvent = (event: Buffer, limits: ContentLimits): Attributes => {
  const attributes = attributesOf(parseJson(event, limits));
  checkAttributes(attributes);
  return attributes;
};

interface StructuredOptions {
  readonly limits: ContentLimits;
  /** As the event's sender gave it, with its parameters. */
  readonly contentType: string;
  /** Record headers that aren't the event's own. */
  readonly headers: readonly RecordHeader[];
}

/** The event with its own bytes, or why it is none. */
export const structuredEvent = (
  value: Buffer,
  { limits, contentType, headers }: StructuredOptions,
): IncomingEvent | GatewayError => {
  try {
    return {
      value,
      contentType,
      headers: [...headers, ...attributeHeaders(checkStructuredEvent(value, limits))],
    };
  } catch (error) {
    return asGatewayError(error);
  }
};

/** An attribute that is null counts as absent. */
const attributesOf = (event: unknown): Attributes => {
  if (typeof event !== "object" || event === null || Array.isArray(event))
    throw invalid("it is no JSON object");
  const { data, data_base64: base64, ...attributes } = event as Record<string, unknown>;
  if (data !== undefined && base64 !== undefined)
    throw invalid('"data" and "data_base64" exclude each other');
  if (base64 !== undefined && base64 !== null && !isBase64(base64))
    throw invalid('"data_base64" is no base64');
  return new Map(Object.entries(attributes).filter(([, value]) => value !== null));
};

const isBase64 = (value: unknown): boolean => typeof value === "string" && fromBase64(value) !== undefined;
