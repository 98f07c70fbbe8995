/** From a body of the Memphis API to its events: as the content type says, CloudEvents included. */
import type { RecordHeader } from "../../../broker/broker.ts";
import { GatewayError } from "../../../errors.ts";
import { checkBinaryEvent } from "../../../ingest/cloudevents/binary.ts";
import { BATCHED_TYPE, STRUCTURED_TYPE, structuredEvent } from "../../../ingest/cloudevents/structured.ts";
import { mediaTypeOf, type ContentLimits } from "../../../ingest/content/content-type.ts";
import { contentTypeOf } from "../../../ingest/content/content-types.ts";
import { splitJsonArray } from "../../../ingest/content/json-array.ts";
import type { IncomingEvent } from "../../../ingest/produce.ts";
import type { Station } from "../../../ingest/stations.ts";

const JSON_TYPE = "application/json";

/** What a request says of its events beside their bytes. */
export interface Envelope {
  readonly contentType: string | undefined;
  readonly headers: readonly RecordHeader[];
  readonly limits: ContentLimits;
}

/** The one event of a whole body. The reader throws what is wrong with it. */
export type ReadSingle = (value: Buffer, station: Station) => IncomingEvent | GatewayError;

/** Throws CONTENT_TYPE_UNSUPPORTED, and CLOUDEVENT_INVALID for `ce-*` headers that are no event's. */
export const singleReader = ({ contentType, headers, limits }: Envelope): ReadSingle => {
  if (contentType !== undefined && mediaTypeOf(contentType) === STRUCTURED_TYPE) {
    const others = headers.filter(isNoAttribute);
    return (value) => structuredEvent(value, { limits, contentType, headers: others });
  }
  const content = contentTypeOf(contentType);
  checkBinaryEvent(headers);
  return (value, { validator }) => {
    if (validator === undefined) content.check(value, limits);
    return { value, contentType, headers };
  };
};

export type ReadBatch = (body: Buffer) => readonly (IncomingEvent | GatewayError)[];

/** The elements of a JSON array. Throws CONTENT_TYPE_UNSUPPORTED; the reader throws REQUEST_UNSUPPORTED. */
export const batchReader = ({ contentType, headers, limits }: Envelope): ReadBatch => {
  const mediaType = mediaTypeOf(contentType ?? "");
  if (mediaType === BATCHED_TYPE) {
    const options = { limits, contentType: STRUCTURED_TYPE, headers: headers.filter(isNoAttribute) };
    return (body) => splitJsonArray(body, limits).map((value) => structuredEvent(value, options));
  }
  if (mediaType !== JSON_TYPE) throw new GatewayError("CONTENT_TYPE_UNSUPPORTED");
  return (body) => splitJsonArray(body, limits).map((value) => ({ value, contentType: JSON_TYPE, headers }));
};

/** A structured event has its attributes inside; those of the request would be another event's. */
const isNoAttribute = ({ name }: RecordHeader): boolean => !name.startsWith("ce_");
