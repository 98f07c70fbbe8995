/** Health and loggers, as Kafka Connect's API has them. */
import { z } from "zod";
import { LEVELS } from "../../../observability/logger/levels.ts";
import { json, type Documentation } from "../../documentation.ts";

const TAG = "Operations";

const told = (status: string) => json(z.object({ status: z.literal(status), message: z.string() }));

export const health: Documentation = {
  id: "connectHealth",
  tag: TAG,
  summary: "The worker's health, in Kafka Connect's words",
  answers: {
    200: { description: "Connectors are known, and the broker answers.", content: told("healthy") },
    500: {
      description: "The broker can't be reached, or the process is shutting down.",
      content: told("unhealthy"),
    },
    503: { description: "The connectors have not been read yet.", content: told("starting") },
  },
  errors: [],
};

/** Body of a change. */
export const levelSchema = z.object({ level: z.union([z.string(), z.number(), z.boolean()]).nullish() });

const state = z
  .object({
    level: z.enum(LEVELS),
    last_modified: z.int().nullable().meta({ description: "Milliseconds since the epoch; null: never set." }),
  })
  .meta({ id: "LoggerLevel" });

const path = {
  logger: {
    description: "`root`, `delivery`, `delivery.<connector>`, `http`, `kafka`, or one whose level was set.",
    schema: z.string(),
  },
};

export const listLoggers: Documentation = {
  id: "listLoggers",
  tag: TAG,
  summary: "The loggers and their levels",
  answers: { 200: { description: "By logger.", content: json(z.record(z.string(), state)) } },
  errors: ["BROKER_UNAVAILABLE"],
};

export const showLogger: Documentation = {
  id: "showLogger",
  tag: TAG,
  summary: "The level of a logger",
  path,
  answers: { 200: { description: "Its own, or that of the logger it belongs to.", content: json(state) } },
  errors: ["CONNECTOR_UNKNOWN", "BROKER_UNAVAILABLE"],
};

export const setLogger: Documentation = {
  id: "setLogger",
  tag: TAG,
  summary: "Change the level of a logger, at once and in all workers of this process",
  path,
  body: { content: json(z.object({ level: z.enum(LEVELS) })) },
  answers: {
    200: { description: "The logger.", content: json(z.array(z.string())) },
    204: { description: "The same, with `?scope=cluster`." },
  },
  errors: ["REQUEST_INVALID", "JSON_INVALID", "CONTENT_TYPE_UNSUPPORTED", "CONNECTOR_UNKNOWN"],
};
