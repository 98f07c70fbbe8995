/** CloudEvents in structured mode: the whole event is one JSON object (CloudEvents JSON format 1.0). */
import type { RecordHeader } from "../../broker/broker.ts";
import { asGatewayError, type GatewayError } from "../../errors.ts";
import { fromBase64 } from "../content/base64.ts";
import type { ContentLimits } from "../content/content-type.ts";
import { parseJson } from "../content/json.ts";
import type { IncomingEvent } from "../incoming-event.ts";
import { attributeHeaders, checkAttributes, invalid, type Attributes } from "./attributes.ts";

export const STRUCTURED_TYPE = "application/cloudevents+json";
export const BATCHED_TYPE = "application/cloudevents-batch+json";

/** The attributes of a structured event. Throws CLOUDEVENT_INVALID, and what `parseJson` does. */
export const checkStructuredEvent = (event: Buffer, limits: ContentLimits): Attributes => {
  const attributes = attributesOf(parseJson(event, limits));
  checkAttributes(attributes);
  return attributes;
};

export interface StructuredOptions {
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
