/** CloudEvents 1.0: checks of events in binary and structured mode, and their attributes as record headers. */
import type { RecordHeader } from "../broker/broker.ts";
import { asGatewayError, GatewayError } from "../errors.ts";
import { membersOf, skipSpace, type Span, stringAt } from "../lib/json-scan.ts";
import { fromBase64, mediaTypeOf } from "./content/content-type.ts";
import { type ContentLimits, parseJson } from "../formats/json.ts";
import type { IncomingEvent } from "./incoming-event.ts";
import type { Station } from "./stations.ts";

/** Context attributes by name, with their JSON values. The data are not an attribute. */
type Attributes = ReadonlyMap<string, unknown>;

/** Throws CLOUDEVENT_INVALID with the name of the first attribute that is missing or invalid. */
const checkAttributes = (attributes: Attributes): void => {
  for (const name of REQUIRED) {
    if (!attributes.has(name)) throw invalid(`the attribute "${name}" is missing`);
  }
  for (const [name, value] of attributes) {
    if (!/^[a-z0-9]+$/.test(name))
      throw invalid(`the attribute name ${shown(name)} must consist of a-z and 0-9`);
    const { isValid, rule } = (Object.hasOwn(CHECKS, name) ? CHECKS[name] : undefined) ?? EXTENSION;
    if (!isValid(value)) throw invalid(`the attribute "${name}" must be ${rule} (got ${shown(value)})`);
  }
};

/** The attributes as record headers `ce_*` (Kafka binding). */
const attributeHeaders = (attributes: Attributes): readonly RecordHeader[] =>
  [...attributes].map(([name, value]) => ({ name: `ce_${name}`, value: Buffer.from(String(value)) }));

const invalid = (what: string): GatewayError =>
  new GatewayError("CLOUDEVENT_INVALID", { message: `Invalid CloudEvent: ${what}` });

const REQUIRED = ["specversion", "id", "source", "type"] as const;

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";

/** The pattern has the characters that a URI-reference can't contain (RFC 3986). */
const isUriReference = (value: unknown): boolean => isText(value) && !/[\s<>"{}|\\^`\p{Cc}]/u.test(value);

const isUri = (value: unknown): boolean =>
  isUriReference(value) && /^[a-z][a-z0-9+.-]*:/i.test(String(value));

const RFC_3339 = /^\d{4}-\d{2}-\d{2}t\d{2}:\d{2}:\d{2}(\.\d+)?(z|[+-]\d{2}:\d{2})$/i;

const isTimestamp = (value: unknown): boolean =>
  isText(value) && RFC_3339.test(value) && !Number.isNaN(Date.parse(value.toUpperCase()));

const isMediaType = (value: unknown): boolean => isText(value) && /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+/.test(value);

interface Check {
  readonly isValid: (value: unknown) => boolean;
  /** What the value must be, for error texts. */
  readonly rule: string;
}

const TEXT: Check = { isValid: isText, rule: "a non-empty string" };

const CHECKS: Readonly<Partial<Record<string, Check>>> = {
  specversion: { isValid: (value) => value === "1.0", rule: '"1.0"' },
  id: TEXT,
  source: { isValid: isUriReference, rule: "a URI reference" },
  type: TEXT,
  subject: TEXT,
  time: { isValid: isTimestamp, rule: "an RFC 3339 timestamp" },
  datacontenttype: { isValid: isMediaType, rule: "a media type" },
  dataschema: { isValid: isUri, rule: "an absolute URI" },
};

const INT32 = 2 ** 31;

/** All other attributes. */
const EXTENSION: Check = {
  isValid: (value) =>
    typeof value === "string" ||
    typeof value === "boolean" ||
    (Number.isInteger(value) && Number(value) >= -INT32 && Number(value) < INT32),
  rule: "a string, a boolean or a 32-bit integer",
};

const LONGEST_SHOWN = 40;

/** The value in an error text, shortened. */
const shown = (value: unknown): string => {
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  return JSON.stringify(typeof value === "string" ? value.slice(0, LONGEST_SHOWN) : value);
};

const PREFIX = "ce_";

/** A request without any of these headers is not a CloudEvent. */
const MARKS = new Set(["ce_specversion", "ce_id", "ce_source", "ce_type"]);

/**
 * Binary mode (HTTP binding 1.0): returns whether the request is a CloudEvent, and checks its attributes among the record
 * headers (`recordHeadersOf` has decoded them). Throws CLOUDEVENT_INVALID.
 */
export const checkBinaryEvent = (headers: readonly RecordHeader[]): boolean => {
  if (!headers.some(({ name }) => MARKS.has(name))) return false;
  const attributes = headers
    .filter(({ name }) => name.startsWith(PREFIX))
    .map(({ name, value }) => [name.slice(PREFIX.length), value?.toString() ?? null] as const);
  checkAttributes(new Map(attributes));
  return true;
};

/** Structured mode: the whole event is one JSON object (JSON format 1.0). */
export const STRUCTURED_TYPE = "application/cloudevents+json";
export const BATCHED_TYPE = "application/cloudevents-batch+json";

/** The attributes of a structured event. Throws CLOUDEVENT_INVALID and the errors of `parseJson`. */
export const checkStructuredEvent = (event: Buffer, limits: ContentLimits): Attributes => {
  const attributes = attributesOf(parseJson(event, limits));
  checkAttributes(attributes);
  return attributes;
};

interface StructuredOptions {
  readonly limits: ContentLimits;
  /** The sender's content type, with its parameters. */
  readonly contentType: string;
  /** Record headers beside the attributes. */
  readonly headers: readonly RecordHeader[];
  /** The station of the event. */
  readonly station: Pick<Station, "validator">;
}

/**
 * Returns the event. Its value is the sender's bytes. On a station with a schema of type `registry` the value is only the
 * bytes of the CloudEvent's `data`, because the schema describes only the data. Returns the error if it is not a valid CloudEvent.
 */
export const structuredEvent = (
  value: Buffer,
  { limits, contentType, headers: others, station }: StructuredOptions,
): IncomingEvent | GatewayError => {
  try {
    const attributes = checkStructuredEvent(value, limits);
    const headers = [...others, ...attributeHeaders(attributes)];
    if (station.validator?.kind !== "registry") return { value, contentType, headers };
    return { ...dataOf(value, attributes), headers };
  } catch (error) {
    return asGatewayError(error);
  }
};

type Data = Pick<IncomingEvent, "value" | "contentType">;

/** The source bytes of `data`, or the decoded `data_base64`. An event without data is a record without a value. */
const dataOf = (event: Buffer, attributes: Attributes): Data => {
  const { spans } = membersOf(event, skipSpace(event, 0), ["data", "data_base64"]);
  const [data, base64] = spans.map((span) => (span && isNull(event, span) ? undefined : span));
  if (data !== undefined)
    return { value: event.subarray(data.at, data.end), contentType: "application/json" };
  if (base64 === undefined) return { value: null, contentType: undefined };
  const type = attributes.get("datacontenttype");
  return {
    value: Buffer.from(stringAt(event, base64.at), "base64"),
    contentType: typeof type === "string" ? type : undefined,
  };
};

const LETTER_N = 0x6e;

const isNull = (event: Buffer, { at }: Span): boolean => event[at] === LETTER_N;

export const isStructured = (contentType: string): boolean => mediaTypeOf(contentType) === STRUCTURED_TYPE;

/** A structured event contains its attributes, so the gateway does not store `ce-*` headers of the request. */
export const isNotAttribute = ({ name }: RecordHeader): boolean => !name.startsWith(PREFIX);

/** An attribute that is null counts as absent. */
const attributesOf = (event: unknown): Attributes => {
  if (typeof event !== "object" || event === null || Array.isArray(event))
    throw invalid("the event must be a JSON object");
  const { data, data_base64: base64, ...attributes } = event as Record<string, unknown>;
  if (data !== undefined && base64 !== undefined)
    throw invalid('an event can have "data" or "data_base64", not both');
  if (base64 !== undefined && base64 !== null && !isBase64(base64))
    throw invalid('"data_base64" must be base64');
  return new Map(Object.entries(attributes).filter(([, value]) => value !== null));
};

const isBase64 = (value: unknown): boolean => typeof value === "string" && fromBase64(value) !== undefined;
