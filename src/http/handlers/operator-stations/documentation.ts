/** Watching a station and trying it out. */
import { z } from "zod";
import { type Documentation, json, stationName } from "../../documentation.ts";

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
    encoding: z.enum(["utf-8", "base64"]).default("utf-8").meta({ description: "How `value` spells bytes." }),
    contentType: z.string().max(256).default("application/json"),
    key: z.string().optional().meta({ description: "The record's key; absent: as the station says." }),
    headers: z
      .record(z.string(), z.string())
      .default({})
      .meta({ description: "As an event's request would have them: `x-*`, `ce-*`, `traceparent`." }),
  })
  .meta({ id: "TestEvent" });

export const tailStation: Documentation = {
  id: "tailStation",
  tag: TAG,
  summary: "What is stored in a station, as it happens",
  description:
    "Server-sent events: `open`, then a `record` for each, `dropped` with a `count` when the reader was too slow, `end`. No group is involved and nothing is committed. Values are shown as text, decoded by a protobuf station's schema, or in base64.",
  path: { name: stationName },
  query: {
    last: {
      description: "So many of the records that each partition holds already come first.",
      schema: z.int().min(0).max(MAX_LAST),
    },
    filter: {
      description: "Only records that hold this text, whatever its case.",
      schema: z.string().max(200),
    },
    in: { description: "Where the text is looked for.", schema: z.enum(["any", "key", "value"]) },
  },
  answers: {
    200: { description: "Goes on until either side ends it.", content: { "text/event-stream": z.string() } },
  },
  errors: ["REQUEST_INVALID", "STATION_NAME_INVALID", "STATION_UNKNOWN", "OVERLOADED", "BROKER_UNAVAILABLE"],
};

export const produceTestEvent: Documentation = {
  id: "produceTestEvent",
  tag: TAG,
  summary: "Store one event, to see what becomes of it",
  description: "It takes the way of every client's events: the station's schema, its key, its topic.",
  path: { name: stationName },
  body: { content: json(testEvent) },
  answers: {
    200: {
      description: "Stored.",
      content: json(
        z.object({
          status: z.literal("stored"),
          partition: z.int(),
          offset: z.string(),
          timestamp: z.int(),
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
    "SCHEMA_REFUSED",
    "KEY_REFUSED",
    "KEY_TOO_LARGE",
    "RECORD_TOO_LARGE",
    "RECORD_REFUSED",
    "RECORD_HEADERS_TOO_MANY",
    "RECORD_HEADERS_TOO_LARGE",
    "OVERLOADED",
    "BROKER_UNAVAILABLE",
    "BROKER_AMBIGUOUS",
  ],
};
