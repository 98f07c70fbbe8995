/** The routes that show why deliveries of a connector fail. */
import { z } from "zod";
import { connectorName, type Documentation, json } from "../../documentation.ts";
import { CHANGE_ERRORS, ofConnector, shown } from "./documentation.ts";

const TAG = "Connectors";
const path = { name: connectorName };

const bytes = z
  .object({
    encoding: z.enum(["utf-8", "base64"]),
    text: z.string(),
    bytes: z.int(),
    truncated: z.boolean(),
    decoded: z.literal("protobuf").optional(),
  })
  .meta({ id: "Bytes" });

const position = { topic: z.string(), partition: z.int(), offset: z.string() };

const failure = z
  .object({
    at: z.int().meta({ description: "Milliseconds since the epoch." }),
    ...position,
    attempt: z.int(),
    outcome: z.enum(["retry", "dropped", "stopped"]),
    status: z
      .int()
      .nullable()
      .meta({ description: "HTTP status of the endpoint's answer; null if there was no answer." }),
    error: z.string().nullable(),
    retryInMs: z.number().nullable(),
  })
  .meta({ id: "FailedAttempt" });

const failures = z.object({
  failures: z.array(failure),
  missingWorkers: z.int().optional().meta({
    description:
      "Number of workers that did not answer within a second. Their failures are not in the list. Absent if all workers answered.",
  }),
});

const letter = z
  .object({
    partition: z.int(),
    offset: z.string(),
    timestamp: z.int().meta({
      description: "Time at which the record became a dead letter, in milliseconds since the epoch.",
    }),
    key: bytes.nullable(),
    value: bytes.nullable(),
    headers: z.array(z.object({ name: z.string(), value: bytes.nullable() })),
    of: z.object(position).meta({ description: "Position of the original record." }),
    attempts: z.int(),
    status: z.int().nullable(),
    error: z.string().nullable(),
  })
  .meta({ id: "DeadLetter" });

export const listFailures: Documentation = {
  id: "listFailures",
  tag: TAG,
  summary: "List the newest failed attempts of a connector",
  description:
    "The failed attempts of all workers of this gateway since they started. Other gateways (pods) on the same Kafka deliver " +
    "other partitions and list their own failures.",
  path,
  answers: {
    200: { description: "The failed attempts, newest first.", content: json(failures) },
  },
  errors: ["CONNECTOR_UNKNOWN", "BROKER_UNAVAILABLE"],
};

export const listDeadLetters: Documentation = {
  id: "listDeadLetters",
  tag: TAG,
  summary: "List the newest dead letters of a connector",
  path,
  answers: {
    200: {
      description: "Up to 50 dead letters, newest first.",
      content: json(z.object({ topic: z.string(), records: z.array(letter) })),
    },
  },
  errors: ["CONNECTOR_UNKNOWN", "REQUEST_INVALID", "BROKER_UNAVAILABLE"],
};

const deadLetters = z
  .object({ topic: z.string(), records: z.int(), replaying: z.boolean() })
  .meta({ id: "DeadLetters" });

export const showDeadLetters = ofConnector({
  id: "showDeadLetters",
  summary: "Show the dead letters of a connector",
  answers: shown("The dead letter topic and its number of records.", deadLetters),
  errors: ["REQUEST_INVALID"],
});

export const replayDeadLetters = ofConnector({
  id: "replayDeadLetters",
  summary: "Replay the dead letters of a connector",
  answers: { 202: { description: "The replay has started.", content: json(deadLetters) } },
  errors: ["REQUEST_INVALID", ...CHANGE_ERRORS],
});
