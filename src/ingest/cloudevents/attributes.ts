/** The context attributes of a CloudEvent (CloudEvents 1.0, section "Context Attributes"). */
import type { RecordHeader } from "../../broker/broker.ts";
import { GatewayError } from "../../errors.ts";

/** Attributes by name, as JSON has them; the data are none. */
export type Attributes = ReadonlyMap<string, unknown>;

/** Throws CLOUDEVENT_INVALID, with the name of the first attribute that is missing or wrong. */
export const checkAttributes = (attributes: Attributes): void => {
  for (const name of REQUIRED) {
    if (!attributes.has(name)) throw invalid(`the attribute "${name}" is missing`);
  }
  for (const [name, value] of attributes) {
    if (!/^[a-z0-9]+$/.test(name)) throw invalid(`"${name}" can't be the name of an attribute`);
    if (!isRight(name, value)) throw invalid(`the attribute "${name}" is not valid`);
  }
};

/** The record headers of CloudEvents' Kafka binding. */
export const attributeHeaders = (attributes: Attributes): readonly RecordHeader[] =>
  [...attributes].map(([name, value]) => ({ name: `ce_${name}`, value: Buffer.from(String(value)) }));

export const invalid = (what: string): GatewayError =>
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
