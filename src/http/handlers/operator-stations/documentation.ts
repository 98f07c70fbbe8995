/** The routes that tail a station and store a test event. */
import { z } from "zod";
import { decodeParameter } from "../../decoding.ts";
import { type Documentation, EVENT_ERRORS, json, stationName, STORE_ERRORS } from "../../documentation.ts";

const TAG = "Operations";

const MAX_LAST = 1000;
const LAST = { error: `must be an integer from 0 to ${MAX_LAST}` };

export const tailQuery = z.object({
  last: z
    .string()
    .regex(/^\d{1,4}$/, LAST)
    .transform(Number)
    .pipe(z.int().max(MAX_LAST, LAST))
    .default(0),
  filter: z.string().max(200).default(""),
  in: z.enum(["any", "key", "value"]).default("any"),
});

export const testEvent = z
  .object({
    value: z.string().meta({ description: "The event." }),
    encoding: z.enum(["utf-8", "base64"]).default("utf-8").meta({ description: "Encoding of `value`." }),
    contentType: z.string().max(256).default("application/json"),
    key: z.string().optional().meta({
      description: "Key of the record. Without this member, the `key` setting of the station applies.",
    }),
    headers: z
      .record(z.string(), z.string())
      .default({})
      .meta({ description: "Request headers that are stored with the event: `x-*`, `ce-*`, `traceparent`." }),
  })
  .meta({ id: "TestEvent" });

export const tailStation: Documentation = {
  id: "tailStation",
  tag: TAG,
  summary: "Tail the records of a station",
  description:
    "Sends server-sent events like `GET /stations/{name}/consume/stream` on the public port, with the same ids, `gap`, `end` and " +
    "heartbeats. Only the form of the record differs. The tail uses no consumer group and commits no offsets. Values are text (decoded by the schema " +
    "of a protobuf station), or base64 if they are not UTF-8. Long values are truncated.",
  path: { name: stationName },
  query: {
    last: {
      description: "Number of existing records of each partition to send first.",
      schema: z.int().min(0).max(MAX_LAST),
    },
    lastEventId: {
      description:
        "Continue after the record with this id. The header `Last-Event-ID` has precedence. With an id, `last` does not apply.",
      schema: z.string(),
    },
    filter: {
      description: "Send only records that contain this text. Case is ignored.",
      schema: z.string().max(200),
    },
    in: {
      description: "Part of the record to search for the text.",
      schema: z.enum(["any", "key", "value"]),
    },
    decode: decodeParameter,
  },
  answers: {
    200: {
      description: "A stream of events until the client or the gateway closes it.",
      content: { "text/event-stream": z.string() },
    },
  },
  errors: [
    "REQUEST_INVALID",
    "REGISTRY_MISSING",
    "STATION_NAME_INVALID",
    "STATION_UNKNOWN",
    "STREAMS_TOO_MANY",
    "BROKER_UNAVAILABLE",
  ],
};

export const produceTestEvent: Documentation = {
  id: "produceTestEvent",
  tag: TAG,
  summary: "Store one test event",
  description:
    "The gateway handles a test event like an event of a client: the schema, the key and the topic of the station apply.",
  path: { name: stationName },
  body: { content: json(testEvent) },
  answers: {
    200: {
      description: "Stored by this call, or by an earlier call with the same event id (`duplicate`).",
      content: json(
        z.object({
          status: z.enum(["stored", "duplicate"]),
          partition: z.int(),
          offset: z.string(),
          timestamp: z.int().optional(),
        }),
      ),
    },
  },
  errors: [
    "JSON_INVALID",
    "JSON_TOO_DEEP",
    "REQUEST_INVALID",
    "BODY_EMPTY",
    "CONTENT_TYPE_UNSUPPORTED",
    "CLOUDEVENT_INVALID",
    "STATION_NAME_INVALID",
    "STATION_UNKNOWN",
    ...EVENT_ERRORS,
    "ID_UNRESOLVED",
    ...STORE_ERRORS,
  ],
};
