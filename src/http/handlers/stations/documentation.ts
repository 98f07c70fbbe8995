/** The routes that produce to stations and consume from them. */
import { z } from "zod";
import { decodeParameter } from "../../decoding.ts";
import { beaconShape } from "../../../ingest/beacon-body.ts";
import type { ErrorCode } from "../../../errors.ts";
import {
  type Answer,
  type Documentation,
  EVENT_ERRORS,
  idempotencyKey,
  json,
  prefer,
  STATION_ERRORS,
  stationName,
  STORE_ERRORS,
} from "../../documentation.ts";
import { consumeShape } from "./consume.ts";
import { representation } from "../../openapi/error-responses.ts";

const TAG = "Stations";

const toStation = { tag: TAG, path: { name: stationName } } as const;

const stored: Answer = {
  description: "Stored: all in-sync replicas have acknowledged the event, or it is on the disk.",
  content: json(
    z.object({ error: z.null(), success: z.literal(true), ...representation }).meta({ id: "Stored" }),
  ),
};

const partlyStored = json(
  z
    .object({
      errors: z
        .array(z.string())
        .meta({ description: "One error text for each failed event, in the order of the events." }),
      sent: z.int(),
      fail: z.int(),
      success: z.literal(false),
      results: representation.results,
    })
    .meta({ id: "PartlyStored" }),
);

const batchAnswers: Documentation["answers"] = {
  200: stored,
  400: {
    description:
      "The gateway refused at least one event and stored the others (`PartlyStored`). Or it refused the whole call with one of " +
      "these errors, and stored nothing:",
    content: partlyStored,
  },
  503: {
    description:
      "Some events are not stored, or it is unknown whether they are stored (`PartlyStored`): send these events again. Or the " +
      "whole call failed with one of these errors: send the call again.",
    content: partlyStored,
  },
};

const PRODUCE_ERRORS = [
  ...STATION_ERRORS,
  ...STORE_ERRORS,
  "RATE_LIMITED",
  "HEADER_RESERVED",
] as const satisfies ErrorCode[];

const event = z.unknown().meta({ description: "The event. The gateway stores exactly these bytes." });
const cloudEvent = z
  .object({
    specversion: z.literal("1.0"),
    id: z.string().min(1),
    source: z.string().min(1),
    type: z.string().min(1),
    data: z.unknown().optional(),
    data_base64: z.base64().optional(),
  })
  .catchall(z.union([z.string().min(1), z.boolean(), z.int32()]))
  .meta({
    id: "CloudEvent",
    description: "A structured CloudEvent 1.0.",
    propertyNames: { pattern: "^([a-z0-9]+|data_base64)$" },
  });
const bytes = z.string().min(1).meta({ description: "The event. The gateway stores exactly these bytes." });

export const produceSingle: Documentation = {
  ...toStation,
  id: "produceSingle",
  summary: "Store one event",
  description:
    "The whole body is one event, even if it is an array. It must match the schema of the station. The request headers " +
    "`x-*`, `ce-*`, `traceparent` and `tracestate` are stored with the event.",
  headers: { Prefer: prefer, "Idempotency-Key": idempotencyKey },
  body: {
    content: {
      "application/json": event,
      "application/cloudevents+json": cloudEvent,
      "text/plain": bytes,
      "application/x-protobuf": bytes,
    },
  },
  answers: { 200: stored },
  errors: [
    ...PRODUCE_ERRORS,
    ...EVENT_ERRORS,
    "IDEMPOTENCY_KEY_REUSED",
    "ID_UNRESOLVED",
    "CONTENT_TYPE_UNSUPPORTED",
    "CLOUDEVENT_INVALID",
    "REQUEST_INVALID",
    "BODY_EMPTY",
    "JSON_INVALID",
    "JSON_TOO_DEEP",
  ],
};

export const produceBatch: Documentation = {
  ...toStation,
  id: "produceBatch",
  summary: "Store many events",
  description:
    "Each element of the array is one event with its own outcome. If an event is refused, the other events are still stored. " +
    "The gateway stores the source bytes of each element. A body that is not a JSON array of objects gets `REQUEST_UNSUPPORTED`.",
  headers: { Prefer: prefer, "Idempotency-Key": idempotencyKey },
  body: {
    content: {
      ...json(z.array(z.record(z.string(), z.unknown()))),
      "application/cloudevents-batch+json": z.array(cloudEvent),
    },
  },
  answers: batchAnswers,
  errors: [
    ...PRODUCE_ERRORS,
    "IDEMPOTENCY_KEY_REUSED",
    "CONTENT_TYPE_UNSUPPORTED",
    "CLOUDEVENT_INVALID",
    "REQUEST_INVALID",
    "REQUEST_UNSUPPORTED",
    "JSON_TOO_DEEP",
  ],
};

export const produceBeacon: Documentation = {
  ...toStation,
  id: "produceBeacon",
  summary: "Store the last events of a web page",
  description:
    "For `navigator.sendBeacon`, which cannot set headers: the body contains the credential and the events. The id of each " +
    "event is stored as the record header `x-event-id`.",
  headers: { "Idempotency-Key": idempotencyKey },
  body: { content: { "text/plain": beaconShape, ...json(beaconShape) } },
  answers: batchAnswers,
  errors: [
    "UNAUTHORIZED",
    "ORIGIN_FORBIDDEN",
    ...PRODUCE_ERRORS,
    "IDEMPOTENCY_KEY_REUSED",
    "CONTENT_TYPE_UNSUPPORTED",
    "REQUEST_UNSUPPORTED",
    "JSON_TOO_DEEP",
  ],
};

export const produceStream: Documentation = {
  ...toStation,
  id: "produceStream",
  summary: "Store a stream of events",
  description:
    "NDJSON over one connection: the client sends one event per line, and the gateway answers one result per line, in the " +
    "order of the events. With `?id=` it sends each result as soon as it is known, in any order, with the id of its event. " +
    "The gateway closes the connection after some time without input.",
  query: {
    id: {
      description: "JSON pointer to the id in each event, such as `/orderId`.",
      schema: z.string().regex(/^(\/[^~/]*)+$/),
    },
  },
  body: { content: { "application/x-ndjson": z.string(), ...json(event) }, optional: true },
  answers: {
    200: {
      description:
        "One result per line: `{line, id?, status, partition, offset}` or `{line, id?, status, error}`.",
      content: { "application/x-ndjson": z.string() },
    },
  },
  errors: [...PRODUCE_ERRORS, "CONTENT_TYPE_UNSUPPORTED", "REQUEST_INVALID"],
};

export const consumeBatch: Documentation = {
  ...toStation,
  id: "consumeBatch",
  summary: "Read the next events of a consumer group",
  description:
    "Waits until `batch_size` events are available or `batch_max_wait_time_ms` is over. The gateway commits the offsets after " +
    "it has sent the answer. All calls of a group share its events, whatever their `consumer_name`. Events of an answer that " +
    "the client did not get are handed out again.",
  body: {
    content: json(
      consumeShape.extend({
        consumer_name: z.string().min(1),
        batch_size: z.int().min(1).max(5000).nullish(),
        decode: decodeParameter.schema.nullish().meta({ description: decodeParameter.description }),
      }),
    ),
  },
  answers: {
    200: {
      description: "The events. The array can be empty.",
      content: json(
        z.array(
          z.object({
            message: z.string().meta({
              description:
                "The event. If it is not UTF-8 or can't be decoded, it is base64, and the header `stationgate-encoding` is `base64`. " +
                "The header `stationgate-schema-id` has the id of the schema that decoded the event. If the event can't be decoded, " +
                "the header `stationgate-decode-error` says why.",
            }),
            headers: z.record(z.string(), z.string().nullable()),
          }),
        ),
      ),
    },
  },
  errors: [
    ...STATION_ERRORS,
    "GROUP_FORBIDDEN",
    "GROUP_IN_USE",
    "REQUEST_INVALID",
    "REGISTRY_MISSING",
    "REGISTRY_UNAVAILABLE",
    "BROKER_UNAVAILABLE",
    "HOME_UNAVAILABLE",
    "OVERLOADED",
    "SHUTTING_DOWN",
  ],
};

const streamId = z.string().regex(/^[A-Za-z0-9_-]+$/);

export const consumeStream: Documentation = {
  ...toStation,
  id: "consumeStream",
  summary: "Read the events of a station as they arrive",
  description:
    "The answer stays open, as server-sent events or as NDJSON. An event is an `id:` line and a `data:` line with " +
    "`{partition, offset, timestamp, key, headers, value}`; in NDJSON it is one object with `id` first. A value that is JSON is " +
    "sent as JSON, other UTF-8 as a string, and other bytes as base64. The field `base64` lists the fields that are base64. " +
    "A decoded event has the field `schemaId`; an event that can't be decoded has `decodeError`. " +
    "`event: gap` says which offsets are lost, and `event: end` says why the gateway ends the stream. A client that opens the " +
    "stream again with its last id gets each later event. If `name` is a webhook source, the stream has only the events of " +
    "this source.",
  query: {
    from: {
      description:
        "`latest` (default): new events. `earliest`: all events. A time (ISO 8601 or milliseconds): the events from this time on.",
      schema: z.string(),
    },
    lastEventId: {
      description:
        "The same as the header `Last-Event-ID`, for clients that can't set headers. The header has precedence.",
      schema: streamId,
    },
    filter: {
      description:
        "`<JSON pointer>==<value>`: the stream sends only events with this value. If `<value>` is not JSON, it is compared as a text. The parameter may be repeated up to 8 times; an event must match all filters.",
      schema: z.string(),
    },
    encoding: {
      description: "`base64`: the stream sends key, headers and value as base64.",
      schema: z.enum(["base64"]),
    },
    decode: decodeParameter,
  },
  headers: {
    "Last-Event-ID": { description: "Continue after the event with this id.", schema: streamId },
  },
  answers: {
    200: {
      description: "The events.",
      content: { "text/event-stream": z.string(), "application/x-ndjson": z.string() },
    },
  },
  errors: [
    ...STATION_ERRORS,
    "REQUEST_INVALID",
    "REGISTRY_MISSING",
    "FORMAT_UNACCEPTABLE",
    "STREAMS_TOO_MANY",
  ],
};
