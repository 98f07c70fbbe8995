/** Producing to and consuming from stations. */
import { z } from "zod";
import { beaconShape } from "../../../ingest/beacon-body.ts";
import type { ErrorCode } from "../../../errors.ts";
import {
  type Answer,
  type Documentation,
  idempotencyKey,
  json,
  prefer,
  stationName,
} from "../../documentation.ts";
import { wanted } from "./consume.ts";
import { representation } from "../../openapi/error-responses.ts";

const TAG = "Stations";

const toStation = { tag: TAG, path: { name: stationName } } as const;

const stored: Answer = {
  description: "Stored: acknowledged by all in-sync replicas, or on the disk.",
  content: json(
    z.object({ error: z.null(), success: z.literal(true), ...representation }).meta({ id: "Stored" }),
  ),
};

const partlyStored = json(
  z
    .object({
      errors: z
        .array(z.string())
        .meta({ description: "One text for each failed event, in the order of the events." }),
      sent: z.int(),
      fail: z.int(),
      success: z.literal(false),
      results: representation.results,
    })
    .meta({ id: "PartlyStored" }),
);

const batchAnswers: Documentation["answers"] = {
  200: stored,
  400: { description: "Some events are refused; the others are stored.", content: partlyStored },
  503: {
    description: "Some events are not stored, or nobody knows; send them again.",
    content: partlyStored,
  },
};

const OF_STATION = [
  "STATION_NAME_INVALID",
  "STATION_FORBIDDEN",
  "STATION_UNKNOWN",
] as const satisfies ErrorCode[];
const OF_BROKER = ["BROKER_UNAVAILABLE", "BROKER_AMBIGUOUS", "OVERLOADED"] as const satisfies ErrorCode[];
const OF_PRODUCING = [
  ...OF_STATION,
  ...OF_BROKER,
  "RATE_LIMITED",
  "HEADER_RESERVED",
] as const satisfies ErrorCode[];
const OF_RECORD = [
  "SCHEMA_REFUSED",
  "KEY_REFUSED",
  "KEY_TOO_LARGE",
  "RECORD_TOO_LARGE",
  "RECORD_HEADERS_TOO_MANY",
  "RECORD_HEADERS_TOO_LARGE",
] as const satisfies ErrorCode[];

const event = z.unknown().meta({ description: "The event: these very bytes are stored." });
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
const bytes = z.string().min(1).meta({ description: "The event: these very bytes are stored." });

export const produceSingle: Documentation = {
  ...toStation,
  id: "produceSingle",
  summary: "Store one event",
  description:
    "The whole body is one event, an array too. The station's schema decides what it must look like. Request headers " +
    "`x-*`, `ce-*`, `traceparent` and `tracestate` are stored with it.",
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
    ...OF_PRODUCING,
    ...OF_RECORD,
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
    "Each element is one event with an outcome of its own: one that is refused doesn't hold up the others. Elements are " +
    "stored with their own source bytes.",
  headers: { Prefer: prefer, "Idempotency-Key": idempotencyKey },
  body: {
    content: {
      ...json(z.array(z.record(z.string(), z.unknown()))),
      "application/cloudevents-batch+json": z.array(cloudEvent),
    },
  },
  answers: batchAnswers,
  errors: [
    ...OF_PRODUCING,
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
  summary: "Store a page's last events",
  description:
    "For `navigator.sendBeacon`, which can't set headers: credential and events in one envelope. Each event's id is stored " +
    "as header `x-event-id`.",
  body: { content: { "text/plain": beaconShape, ...json(beaconShape) } },
  answers: batchAnswers,
  errors: [
    "UNAUTHORIZED",
    "ORIGIN_FORBIDDEN",
    ...OF_PRODUCING,
    "CONTENT_TYPE_UNSUPPORTED",
    "REQUEST_UNSUPPORTED",
    "JSON_TOO_DEEP",
  ],
};

export const produceStream: Documentation = {
  ...toStation,
  id: "produceStream",
  summary: "Store events as long as they come",
  description:
    "NDJSON over one connection: a line in is an event, a line out its result, as soon as it is known. Results come in order, " +
    "or with `?id=` as they finish, each with the event's own id. The connection is closed after some time without input.",
  query: {
    id: { description: "JSON pointer to the events' own id.", schema: z.string().regex(/^(\/[^~/]*)+$/) },
  },
  body: { content: { "application/x-ndjson": z.string(), ...json(event) }, optional: true },
  answers: {
    200: {
      description:
        "One result a line: `{line, id?, status, partition, offset}` or `{line, id?, status, error}`.",
      content: { "application/x-ndjson": z.string() },
    },
  },
  errors: [...OF_PRODUCING, "CONTENT_TYPE_UNSUPPORTED", "REQUEST_INVALID"],
};

export const consumeBatch: Documentation = {
  ...toStation,
  id: "consumeBatch",
  summary: "Read the next events of a consumer group",
  description:
    "Waits until there are `batch_size` events or the time is over. Events count as consumed once the answer has left.",
  body: {
    content: json(
      wanted.extend({ consumer_name: z.string().min(1), batch_size: z.int().min(1).max(5000).nullish() }),
    ),
  },
  answers: {
    200: {
      description: "The events, possibly none.",
      content: json(
        z.array(
          z.object({
            message: z.string().meta({
              description:
                "The event; in base64 where it is no UTF-8, and then `stationgate-encoding` says so.",
            }),
            headers: z.record(z.string(), z.string().nullable()),
          }),
        ),
      ),
    },
  },
  errors: [
    ...OF_STATION,
    "GROUP_FORBIDDEN",
    "REQUEST_INVALID",
    "BROKER_UNAVAILABLE",
    "OVERLOADED",
    "SHUTTING_DOWN",
  ],
};
