/** Why a connector fails. */
import { z } from "zod";
import { connectorName, type Documentation, json } from "../../documentation.ts";

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
    status: z.int().nullable().meta({ description: "Of the endpoint's answer; null: there was none." }),
    error: z.string().nullable(),
    retryInMs: z.number().nullable(),
  })
  .meta({ id: "FailedAttempt" });

const failures = z.object({
  failures: z.array(failure),
  missingWorkers: z.int().optional().meta({
    description:
      "Number of workers that did not answer within a second: their failures are not in the list. Absent: all answered.",
  }),
});

const letter = z
  .object({
    partition: z.int(),
    offset: z.string(),
    timestamp: z.int().meta({ description: "When it was given up, milliseconds since the epoch." }),
    key: bytes.nullable(),
    value: bytes.nullable(),
    headers: z.array(z.object({ name: z.string(), value: bytes.nullable() })),
    of: z.object(position).meta({ description: "The record that was given up." }),
    attempts: z.int(),
    status: z.int().nullable(),
    error: z.string().nullable(),
  })
  .meta({ id: "DeadLetter" });

export const listFailures: Documentation = {
  id: "listFailures",
  tag: TAG,
  summary: "A connector's newest failed attempts",
  description:
    "Of all workers of the gateway that answers, since each of them started. Another gateway (pod) on the same Kafka " +
    "delivers other partitions, and lists its own failures.",
  path,
  answers: {
    200: { description: "The newest first.", content: json(failures) },
  },
  errors: ["CONNECTOR_UNKNOWN", "BROKER_UNAVAILABLE"],
};

export const listDeadLetters: Documentation = {
  id: "listDeadLetters",
  tag: TAG,
  summary: "The newest records that a connector has given up",
  path,
  answers: {
    200: {
      description: "At most 50, the newest first.",
      content: json(z.object({ topic: z.string(), records: z.array(letter) })),
    },
  },
  errors: ["CONNECTOR_UNKNOWN", "REQUEST_INVALID", "BROKER_UNAVAILABLE"],
};
