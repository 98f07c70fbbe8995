/** Converts a body of the Memphis API to events. The content type decides how; CloudEvents are included. */
import type { RecordHeader } from "../../../broker/broker.ts";
import { GatewayError } from "../../../errors.ts";
import {
  BATCHED_TYPE,
  checkBinaryEvent,
  isNotAttribute,
  isStructured,
  STRUCTURED_TYPE,
  structuredEvent,
} from "../../../ingest/cloudevents.ts";
import { contentTypeOf, mediaTypeOf } from "../../../ingest/content/content-type.ts";
import { eventListOf, type EventList, type EventListLimits } from "../../../ingest/content/event-list.ts";
import type { ContentLimits } from "../../../formats/json.ts";
import { sizeOfHeaders } from "../../../ingest/incoming-event.ts";
import type { IncomingEvent } from "../../../ingest/produce.ts";
import type { Station } from "../../../ingest/stations.ts";
import { paced } from "../../../lib/event-loop.ts";
import type { Amount, Events } from "../../intake.ts";

const JSON_TYPE = "application/json";

/** The content type and the headers of a request, which apply to all its events, and the limits of its body. */
export interface Envelope<Limits extends ContentLimits = ContentLimits> {
  readonly contentType: string | undefined;
  readonly headers: readonly RecordHeader[];
  readonly limits: Limits;
}

/** Reads the whole body as one event. Throws the error of the event or returns it. */
export type ReadSingle = (value: Buffer, station: Station) => IncomingEvent | GatewayError;

/**
 * Throws CONTENT_TYPE_UNSUPPORTED, and CLOUDEVENT_INVALID for wrong `ce-*` headers. The returned function throws
 * BODY_EMPTY.
 */
export const singleReader = ({ contentType, headers, limits }: Envelope): ReadSingle => {
  if (contentType !== undefined && isStructured(contentType)) {
    const others = headers.filter(isNotAttribute);
    return (value, station) =>
      structuredEvent(notEmpty(value), { limits, contentType, headers: others, station });
  }
  const isCloudEvent = checkBinaryEvent(headers);
  const content = isCloudEvent && contentType === undefined ? undefined : contentTypeOf(contentType);
  return (value, { validator }) => {
    // A CloudEvent without data is a record without a value (CloudEvents' Kafka binding 3.2.2).
    if (isCloudEvent && value.length === 0) return { value: null, contentType, headers };
    if (content === undefined) throw new GatewayError("CONTENT_TYPE_UNSUPPORTED");
    if (validator === undefined) content.check(notEmpty(value), limits);
    return { value: notEmpty(value), contentType, headers };
  };
};

const notEmpty = (body: Buffer): Buffer => {
  if (body.length === 0) throw new GatewayError("BODY_EMPTY");
  return body;
};

/** A batch whose events are counted but not parsed yet. */
export interface FoundBatch {
  readonly amount: Amount;
  read(): Events | Promise<Events>;
}

export type FindBatch = (body: Buffer) => FoundBatch;

/**
 * Each element of a JSON array is an event. Throws CONTENT_TYPE_UNSUPPORTED. The returned function throws
 * REQUEST_UNSUPPORTED, JSON_TOO_DEEP and EVENTS_TOO_MANY.
 */
export const batchFinder = (
  { contentType, headers, limits }: Envelope<EventListLimits>,
  station: Station,
): FindBatch => {
  const mediaType = mediaTypeOf(contentType ?? "");
  if (mediaType === BATCHED_TYPE) {
    const others = headers.filter(isNotAttribute);
    const options = { limits, contentType: STRUCTURED_TYPE, headers: others, station };
    return (body) => {
      const list = eventListOf(body, limits);
      const read = async (): Promise<Events> => {
        const events: (IncomingEvent | GatewayError)[] = [];
        await paced(list.count, (i) => events.push(structuredEvent(list.at(i), options)));
        return events;
      };
      return { amount: amountOf(list, options.headers), read };
    };
  }
  if (mediaType !== JSON_TYPE) throw new GatewayError("CONTENT_TYPE_UNSUPPORTED");
  return (body) => {
    const list = eventListOf(body, limits);
    const eventAt = (_: unknown, i: number): IncomingEvent => ({
      value: list.at(i),
      isJson: true,
      contentType: JSON_TYPE,
      headers,
    });
    return { amount: amountOf(list, headers), read: () => Array.from({ length: list.count }, eventAt) };
  };
};

const amountOf = ({ count, bytes }: EventList, headers: readonly RecordHeader[]): Amount => ({
  events: count,
  bytes: bytes + count * sizeOfHeaders(headers),
});
