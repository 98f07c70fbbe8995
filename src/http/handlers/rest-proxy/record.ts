/** Converts a record of the v3 API, `{partition_id?, headers?, key?, value?, timestamp?}`, to an event. */
import { z } from "zod";
import type { RecordHeader } from "../../../broker/broker.ts";
import { asGatewayError, GatewayError } from "../../../errors.ts";
import { checkStructuredEvent, STRUCTURED_TYPE } from "../../../ingest/cloudevents.ts";
import { fromBase64, mediaTypeOf } from "../../../ingest/content/content-type.ts";
import { type ContentLimits, parseJson } from "../../../formats/json.ts";
import type { IncomingEvent } from "../../../ingest/produce.ts";
import type { FindSchema } from "../../../ingest/schema/record-schemas.ts";
import { isReservedHeader } from "../../../ingest/record-headers.ts";
import type { StreamItem } from "../../../ingest/stream/stream-protocol.ts";
import { type Members, membersOf, skipSpace } from "../../../lib/json-scan.ts";
import { OUR_WORDS } from "../../faults.ts";
import { type RecordPart, partShape, readPart } from "./record-part.ts";
import type { Reported } from "./report.ts";
import { faultIn } from "./body-shape.ts";
import type { RestProxyDependencies } from "./topic.ts";

export interface RecordContext {
  readonly contentLimits: ContentLimits;
  /** Maximum number of headers of one record. */
  readonly maxHeaders: number;
  /** undefined: no schema registry is configured. */
  readonly findSchema: FindSchema | undefined;
}

interface V3Record {
  readonly event: IncomingEvent;
  readonly key: RecordPart | undefined;
  readonly value: RecordPart | undefined;
}

/** The JSON text of a record, and the positions of its `PARTS`. */
interface RecordSource extends Pick<Members, "spans"> {
  readonly bytes: Buffer;
}

export const PARTS = ["key", "value"] as const;

export const recordShape = z.strictObject({
  partition_id: z.int().nullish(),
  headers: z.array(z.strictObject({ name: z.string(), value: z.string().nullish() })).nullish(),
  key: partShape.nullish(),
  value: partShape.nullish(),
  timestamp: z.iso.datetime({ offset: true }).nullish(),
});

/** Called before the shape is checked, because the check of each header costs time. */
export const hasManyHeaders = (record: unknown, { maxHeaders }: Pick<RecordContext, "maxHeaders">): boolean =>
  typeof record === "object" &&
  record !== null &&
  "headers" in record &&
  Array.isArray(record.headers) &&
  record.headers.length > maxHeaders;

/** Throws REGISTRY_MISSING, REQUEST_INVALID, PARTITION_UNKNOWN, HEADER_RESERVED and CLOUDEVENT_INVALID. */
export const readRecord = (
  given: z.output<typeof recordShape>,
  { bytes, spans: [keySpan, valueSpan] }: RecordSource,
  context: RecordContext,
): V3Record => {
  const hasRegistry = context.findSchema !== undefined;
  const key = readPart("key", given.key, { source: { bytes, span: keySpan }, hasRegistry });
  const value = readPart("value", given.value, { source: { bytes, span: valueSpan }, hasRegistry });
  const event = {
    value: value?.bytes ?? null,
    ...contentOf(given, value, context),
    ...keyOf(key),
    ...(value?.schema && { valueSchema: value.schema }),
    ...timestampOf(given.timestamp),
    ...partitionFrom(given.partition_id),
  };
  return { event, key, value };
};

const LARGEST_PARTITION = 0x7fffffff;

/** Throws PARTITION_UNKNOWN for a number that no partition can have. */
export const partitionFrom = (given: number | null | undefined): Pick<IncomingEvent, "partition"> => {
  if (given === null || given === undefined) return {};
  if (given < 0 || given > LARGEST_PARTITION) throw new GatewayError("PARTITION_UNKNOWN");
  return { partition: given };
};

/** Throws REQUEST_INVALID for a negative timestamp, because Kafka reads it as "no timestamp". */
const timestampOf = (text: string | null | undefined): Pick<IncomingEvent, "timestamp"> => {
  if (text === null || text === undefined) return {};
  const timestamp = Date.parse(text);
  if (timestamp >= 0) return { timestamp };
  throw new GatewayError("REQUEST_INVALID", {
    message: `timestamp must be 1970-01-01T00:00:00Z or later (got ${text})`,
  });
};

/** A null key counts as absent, so that the `key` setting of the station applies. */
const keyOf = (key: RecordPart | undefined): Pick<IncomingEvent, "key" | "keySchema"> => {
  if (key === undefined) return {};
  const { bytes, schema } = key;
  return { ...(bytes && { key: bytes }), ...(schema && { keySchema: schema }) };
};

type Content = Pick<IncomingEvent, "contentType" | "headers" | "exactHeaders">;

/**
 * The record gets exactly the client's headers, in their order. A `content-type` header overrides the content type that
 * follows from the type of the value.
 */
const contentOf = (
  { headers: given }: z.output<typeof recordShape>,
  value: RecordPart | undefined,
  { contentLimits }: RecordContext,
): Content => {
  const bytes = value?.bytes ?? null;
  const headers = (given ?? []).map(({ name, value: text }, index) =>
    recordHeaderOf(name, text, `headers.${index}`),
  );
  const stated = headers.find(isContentType)?.value?.toString();
  if (stated !== undefined && mediaTypeOf(stated) === STRUCTURED_TYPE)
    requireCloudEvent(bytes, contentLimits);
  const contentType = stated ?? (isJson(value) ? "application/json" : undefined);
  return { contentType, headers, exactHeaders: true };
};

const isJson = (value: RecordPart | undefined): boolean =>
  value !== undefined && value.bytes !== null && (value.type === "JSON" || value.schema !== undefined);

/** Decodes the value from base64. Throws HEADER_RESERVED or REQUEST_INVALID; the error contains `path`. */
export const recordHeaderOf = (name: string, text: string | null | undefined, path: string): RecordHeader => {
  if (isReservedHeader(name.toLowerCase()))
    throw new GatewayError("HEADER_RESERVED", {
      message: `${path}: only the gateway writes ${name}; leave it out`,
    });
  if (text === null || text === undefined) return { name, value: null };
  const value = fromBase64(text);
  if (value !== undefined) return { name, value };
  throw new GatewayError("REQUEST_INVALID", { message: `${path}.value must be base64` });
};

const requireCloudEvent = (event: Buffer | null, limits: ContentLimits): void => {
  if (event === null)
    throw new GatewayError("CLOUDEVENT_INVALID", { message: "Invalid CloudEvent: no value" });
  checkStructuredEvent(event, limits);
};

const isContentType = ({ name }: RecordHeader): boolean => name.toLowerCase() === "content-type";

/** One record of a v3 body or stream, or the error for a record that can't be read. */
export interface Item extends StreamItem, Reported {}

/** Returns an error instead of an item if the text is not JSON: the texts after it can't be read either. */
export type ReadItem = (text: Buffer) => Item | GatewayError;

const unread = (event: GatewayError): Item => ({ event, key: undefined, value: undefined });

export const itemReader = (context: RecordContext & Pick<RestProxyDependencies, "intake">): ReadItem => {
  const { maxEventBytes } = context.intake;
  return (text) => {
    try {
      const item = readItem(text, context);
      const size = item.value?.bytes?.length ?? 0;
      return size > maxEventBytes ? unread(new GatewayError("RECORD_TOO_LARGE")) : item;
    } catch (thrown) {
      const error = asGatewayError(thrown);
      return error.code === "JSON_INVALID" ? error : unread(error);
    }
  };
};

const readItem = (text: Buffer, context: RecordContext): Item => {
  const parsed = parseJson(text, context.contentLimits);
  if (hasManyHeaders(parsed, context)) throw new GatewayError("RECORD_HEADERS_TOO_MANY");
  const given = recordShape.safeParse(parsed, OUR_WORDS);
  if (!given.success) throw new GatewayError("REQUEST_INVALID", { message: faultIn(given.error) });
  const { spans } = membersOf(text, skipSpace(text, 0), PARTS);
  return readRecord(given.data, { bytes: text, spans }, context);
};

export const eventOf = ({ event }: Item): Item["event"] => event;
