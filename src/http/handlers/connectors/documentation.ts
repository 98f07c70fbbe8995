/** The routes of Kafka Connect's REST API. */
import { z } from "zod";
import type { ErrorCode } from "../../../errors.ts";
import { type Answer, connectorName, type Documentation, json } from "../../documentation.ts";
import { configSchema, creationSchema, offsetsSchema } from "./bodies.ts";

export const TAG = "Connectors";
const path = { name: connectorName };
export const flag = z.enum(["true", "false"]);

const config = z.record(z.string(), z.string()).meta({ id: "ConnectorConfig" });
const taskId = z.object({ connector: z.string(), task: z.int() });
const state = z.enum(["RUNNING", "PAUSED", "STOPPED", "FAILED", "RESTARTING"]);

const info = z
  .object({ name: z.string(), config, tasks: z.array(taskId), type: z.literal("sink") })
  .meta({ id: "Connector" });

const taskStatus = z
  .object({ id: z.int(), state, worker_id: z.string(), trace: z.string().optional() })
  .meta({ id: "TaskStatus" });

const status = z
  .object({
    name: z.string(),
    connector: z.object({ state, worker_id: z.string() }),
    tasks: z.array(taskStatus),
    type: z.literal("sink"),
  })
  .meta({ id: "ConnectorStatus" });

/** "file": the settings file declares the connector. */
const origin = z.enum(["rest", "file"]);

const message = json(z.object({ message: z.string() }));

export const BODY_ERRORS = [
  "JSON_INVALID",
  "REQUEST_INVALID",
  "CONTENT_TYPE_UNSUPPORTED",
] as const satisfies ErrorCode[];
export const CHANGE_ERRORS = [
  "CONNECTOR_READ_ONLY",
  "CONNECTOR_CHANGED",
  "BROKER_UNAVAILABLE",
  "BROKER_AMBIGUOUS",
] as const satisfies ErrorCode[];

type Words = Pick<Documentation, "id" | "summary" | "answers"> & Partial<Documentation>;

/** The documentation of a route for one connector, which can be unknown. */
export const ofConnector = ({ errors = [], ...words }: Words): Documentation => ({
  tag: TAG,
  path,
  ...words,
  errors: ["CONNECTOR_UNKNOWN", "BROKER_UNAVAILABLE", ...errors],
});

export const shown = (description: string, schema: z.ZodType): Record<200, Answer> => ({
  200: { description, content: json(schema) },
});

export const listConnectors: Documentation = {
  id: "listConnectors",
  tag: TAG,
  summary: "List the connectors",
  query: {
    expand: {
      description: "Return an object for each connector instead of its name.",
      schema: z.enum(["status", "info", "origin"]),
    },
  },
  answers: shown(
    "The names, or with `expand` an object for each name.",
    z.union([z.array(z.string()), z.record(z.string(), z.object({ status, info, origin }).partial())]),
  ),
  errors: ["BROKER_UNAVAILABLE"],
};

const created: Answer = {
  description: "Created.",
  content: json(info),
  headers: { Location: "Path of the connector." },
};

export const createConnector: Documentation = {
  id: "createConnector",
  tag: TAG,
  summary: "Create a connector",
  description: "Takes the configuration of the Auckland HTTP sink unchanged.",
  body: { content: json(creationSchema) },
  answers: { 201: created },
  errors: [...BODY_ERRORS, ...CHANGE_ERRORS, "CONNECTOR_CONFIG_INVALID", "CONNECTOR_EXISTS"],
};

export const showConnector = ofConnector({
  id: "showConnector",
  summary: "Show a connector",
  answers: shown("The connector. Credentials are masked.", info),
});

const configured: Words = {
  id: "",
  summary: "",
  body: { content: json(configSchema) },
  answers: { ...shown("Changed. The change takes effect at once.", info), 201: created },
  errors: [...BODY_ERRORS, ...CHANGE_ERRORS, "CONNECTOR_CONFIG_INVALID"],
};

export const putConnector = ofConnector({
  ...configured,
  id: "putConnector",
  summary: "Create or change a connector (the route that the Auckland sink's documentation describes)",
});

export const putConfig = ofConnector({
  ...configured,
  id: "putConfig",
  summary: "Create a connector or replace its configuration",
});

export const patchConfig = ofConnector({
  ...configured,
  id: "patchConfig",
  summary: "Change some settings of a connector",
  description: "`null` removes a setting. Settings that the body does not name stay unchanged.",
  answers: shown("Changed. The change takes effect at once.", info),
});

export const deleteConnector = ofConnector({
  id: "deleteConnector",
  summary: "Delete a connector",
  description: "The committed offsets stay. A new connector of the same name continues from them.",
  answers: { 204: { description: "Deleted." } },
  errors: CHANGE_ERRORS,
});

export const showConfig = ofConnector({
  id: "showConfig",
  summary: "Show the configuration of a connector",
  answers: shown("The configuration. Credentials are masked.", config),
});

export const showStatus = ofConnector({
  id: "showStatus",
  summary: "Show the state of a connector",
  answers: shown("State of the connector and of its task. A failed task has the error in `trace`.", status),
});

export const listTasks = ofConnector({
  id: "listTasks",
  summary: "List the tasks of a connector",
  answers: shown(
    "One task, or none while the connector is stopped.",
    z.array(z.object({ id: taskId, config })),
  ),
});

const taskPath = {
  ...path,
  task: { description: "Task number.", schema: z.string().regex(/^\d{1,9}$/) },
};

export const showTaskStatus = ofConnector({
  id: "showTaskStatus",
  summary: "Show the state of a task",
  path: taskPath,
  answers: shown("The state of the task.", taskStatus),
});

export const restartTask = ofConnector({
  id: "restartTask",
  summary: "Restart a task",
  path: taskPath,
  answers: { 204: { description: "Restarted." } },
  errors: CHANGE_ERRORS,
});

const target = (id: string, summary: string, status: 202 | 204): Documentation =>
  ofConnector({
    id,
    summary,
    answers: { [status]: { description: "The new state is stored." } },
    errors: CHANGE_ERRORS,
  });

export const pauseByGet = target(
  "pauseByGet",
  "Pause a connector (the route that the Auckland sink's documentation describes)",
  202,
);
export const pause = target("pause", "Pause a connector: it sends no requests until it is resumed", 202);
export const resumeByGet = target(
  "resumeByGet",
  "Resume a connector (the route that the Auckland sink's documentation describes)",
  202,
);
export const resume = target("resume", "Resume a connector at its next record", 202);
export const stop = target("stop", "Stop a connector: it gives up its partitions", 204);

export const restart = ofConnector({
  id: "restart",
  summary: "Restart a connector",
  query: {
    includeTasks: { description: "Return the status of the connector.", schema: flag },
    onlyFailed: { description: "Restart the connector only if it has failed.", schema: flag },
  },
  answers: {
    202: { description: "Restarted. With `includeTasks`, the answer is the status.", content: json(status) },
    204: { description: "Restarted." },
  },
  errors: CHANGE_ERRORS,
});

export const showOffsets = ofConnector({
  id: "showOffsets",
  summary: "Show the offsets of a connector",
  answers: shown(
    "The offset of the next record of each partition.",
    z.object({
      offsets: z.array(
        z.object({
          partition: z.object({ kafka_topic: z.string(), kafka_partition: z.int() }),
          offset: z.object({ kafka_offset: z.int() }),
        }),
      ),
    }),
  ),
});

export const alterOffsets = ofConnector({
  id: "alterOffsets",
  summary: "Change the offsets of a connector to an offset or a time",
  description: "The connector must be stopped. `null` removes the offset of a partition.",
  body: { content: json(offsetsSchema) },
  answers: { 200: { description: "The offsets are changed.", content: message } },
  errors: [...BODY_ERRORS, ...CHANGE_ERRORS, "CONNECTOR_NOT_STOPPED", "PARTITION_UNKNOWN", "STATION_UNKNOWN"],
});

export const resetOffsets = ofConnector({
  id: "resetOffsets",
  summary: "Remove all offsets of a connector",
  description: "The connector must be stopped.",
  answers: { 200: { description: "The offsets are removed.", content: message } },
  errors: [...CHANGE_ERRORS, "CONNECTOR_NOT_STOPPED"],
});

export const showTopics = ofConnector({
  id: "showTopics",
  summary: "List the topics that a connector has read",
  answers: shown(
    "The topics that the connector has read since its creation or since the last reset.",
    z.record(z.string(), z.object({ topics: z.array(z.string()) })),
  ),
});

export const resetTopics = ofConnector({
  id: "resetTopics",
  summary: "Reset the list of topics that a connector has read",
  answers: { 202: { description: "The list is empty. Topics that the connector still reads appear again." } },
  errors: ["BROKER_AMBIGUOUS"],
});
