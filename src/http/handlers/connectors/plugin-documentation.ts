/** The routes of Kafka Connect's REST API for plugins. */
import { z } from "zod";
import { type Documentation, json } from "../../documentation.ts";
import { configSchema } from "./bodies.ts";
import { BODY_ERRORS, flag, shown, TAG } from "./documentation.ts";

export const listPlugins: Documentation = {
  id: "listPlugins",
  tag: TAG,
  summary: "List the connector plugins",
  query: {
    connectorsOnly: {
      description:
        "With false, the list also has the transformations, predicates and converters that run here.",
      schema: flag,
    },
  },
  answers: shown(
    "The plugins.",
    z.array(
      z.object({
        class: z.string(),
        type: z.enum(["sink", "transformation", "predicate", "converter", "header_converter"]),
        version: z.string(),
      }),
    ),
  ),
  errors: [],
};

export const validateConfig: Documentation = {
  id: "validateConfig",
  tag: TAG,
  summary: "Validate a configuration; creates no connector",
  path: { class: { description: "Class of the connector.", schema: z.string().regex(/^[\w.$]+$/) } },
  body: { content: json(configSchema) },
  answers: shown(
    "Each configuration key with its errors.",
    z.looseObject({ name: z.string(), error_count: z.int(), configs: z.array(z.looseObject({})) }),
  ),
  errors: [...BODY_ERRORS, "CONNECTOR_UNKNOWN", "CONNECTOR_CONFIG_INVALID"],
};

export const showPluginConfig: Documentation = {
  id: "showPluginConfig",
  tag: TAG,
  summary: "List the configuration keys of a plugin",
  path: { class: { description: "Class of the connector.", schema: z.string().regex(/^[\w.$]+$/) } },
  answers: shown(
    "Each key with its type and its default.",
    z.array(z.looseObject({ name: z.string(), type: z.string(), required: z.boolean() })),
  ),
  errors: ["CONNECTOR_UNKNOWN"],
};
