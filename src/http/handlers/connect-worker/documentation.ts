/** The routes for health and loggers, as in Kafka Connect's API. */
import { z } from "zod";
import { LEVELS } from "../../../observability/logger/levels.ts";
import { json, type Documentation } from "../../documentation.ts";

const TAG = "Operations";

const healthBody = (status: string) => json(z.object({ status: z.literal(status), message: z.string() }));

export const health: Documentation = {
  id: "connectHealth",
  tag: TAG,
  summary: "Show the health of the worker, as Kafka Connect does",
  answers: {
    200: {
      description: "The gateway has read the connectors, and the broker answers.",
      content: healthBody("healthy"),
    },
    500: {
      description: "The broker cannot be reached, or the process is shutting down.",
      content: healthBody("unhealthy"),
    },
    503: { description: "The gateway has not read the connectors yet.", content: healthBody("starting") },
  },
  errors: [],
};

/** The request body that changes a level. */
export const levelSchema = z.object({ level: z.union([z.string(), z.number(), z.boolean()]).nullish() });

const state = z
  .object({
    level: z.enum(LEVELS),
    last_modified: z
      .int()
      .nullable()
      .meta({ description: "Milliseconds since the epoch; null if the level was never set." }),
  })
  .meta({ id: "LoggerLevel" });

const path = {
  logger: {
    description:
      "`root`, `delivery`, `delivery.<connector>`, `http`, `kafka`, or a logger whose level was set.",
    schema: z.string(),
  },
};

export const listLoggers: Documentation = {
  id: "listLoggers",
  tag: TAG,
  summary: "List the loggers and their levels",
  answers: {
    200: { description: "The level of each logger, by name.", content: json(z.record(z.string(), state)) },
  },
  errors: ["BROKER_UNAVAILABLE"],
};

export const showLogger: Documentation = {
  id: "showLogger",
  tag: TAG,
  summary: "Show the level of a logger",
  path,
  answers: {
    200: {
      description: "The level that was set for the logger, else the level of its parent logger.",
      content: json(state),
    },
  },
  errors: ["CONNECTOR_UNKNOWN", "BROKER_UNAVAILABLE"],
};

export const setLogger: Documentation = {
  id: "setLogger",
  tag: TAG,
  summary: "Change the level of a logger in all workers of this gateway",
  path,
  body: { content: json(z.object({ level: z.enum(LEVELS) })) },
  answers: {
    200: { description: "The name of the logger.", content: json(z.array(z.string())) },
    204: {
      description: "The level is changed, and the request had `?scope=cluster`: the answer has no body.",
    },
  },
  errors: ["REQUEST_INVALID", "JSON_INVALID", "CONTENT_TYPE_UNSUPPORTED", "CONNECTOR_UNKNOWN"],
};
