/** Kafka Connect's REST API. */
import { z } from "zod";
import type { ErrorCode } from "../../../errors.ts";
import { type Answer, connectorName, type Documentation, json } from "../../documentation.ts";
import { configSchema, creationSchema, offsetsSchema } from "./bodies.ts";

const TAG = "Connectors";
const path = { name: connectorName };
const flag = z.enum(["true", "false"]);

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

const message = json(z.object({ message: z.string() }));

const OF_BODY = [
  "JSON_INVALID",
  "REQUEST_INVALID",
  "CONTENT_TYPE_UNSUPPORTED",
] as const satisfies ErrorCode[];
const OF_CHANGE = [
  "CONNECTOR_READ_ONLY",
  "CONNECTOR_CHANGED",
  "BROKER_UNAVAILABLE",
  "BROKER_AMBIGUOUS",
] as const satisfies ErrorCode[];

type Words = Pick<Documentation, "id" | "summary" | "answers"> & Partial<Documentation>;

/** Whatever concerns one connector can find that there is none. */
const ofConnector = ({ errors = [], ...words }: Words): Documentation => ({
  tag: TAG,
  path,
  ...words,
  errors: ["CONNECTOR_UNKNOWN", "BROKER_UNAVAILABLE", ...errors],
});

const shown = (description: string, schema: z.ZodType): Record<200, Answer> => ({
  200: { description, content: json(schema) },
});

export const listPlugins: Documentation = {
  id: "listPlugins",
  tag: TAG,
  summary: "The kinds of connectors",
  answers: shown(
    "One kind.",
    z.array(z.object({ class: z.string(), type: z.literal("sink"), version: z.string() })),
  ),
  errors: [],
};

export const validateConfig: Documentation = {
  id: "validateConfig",
  tag: TAG,
  summary: "Check a configuration without creating anything",
  path: { class: { description: "The connector's class.", schema: z.string().regex(/^[\w.$]+$/) } },
  body: { content: json(configSchema) },
  answers: shown(
    "Each key with its errors.",
    z.looseObject({ name: z.string(), error_count: z.int(), configs: z.array(z.looseObject({})) }),
  ),
  errors: [...OF_BODY, "CONNECTOR_UNKNOWN", "CONNECTOR_CONFIG_INVALID"],
};

export const showPluginConfig: Documentation = {
  id: "showPluginConfig",
  tag: TAG,
  summary: "The keys of a configuration",
  path: { class: { description: "The connector's class.", schema: z.string().regex(/^[\w.$]+$/) } },
  answers: shown(
    "Each key, its type and its default.",
    z.array(z.looseObject({ name: z.string(), type: z.string(), required: z.boolean() })),
  ),
  errors: ["CONNECTOR_UNKNOWN"],
};

export const listConnectors: Documentation = {
  id: "listConnectors",
  tag: TAG,
  summary: "The connectors",
  query: {
    expand: { description: "Whole objects instead of names.", schema: z.enum(["status", "info"]) },
  },
  answers: shown(
    "Their names, or an object by name.",
    z.union([
      z.array(z.string()),
      z.record(z.string(), z.object({ status: status.optional(), info: info.optional() })),
    ]),
  ),
  errors: ["BROKER_UNAVAILABLE"],
};

const created: Answer = {
  description: "Created.",
  content: json(info),
  headers: { Location: "Where the connector is." },
};

export const createConnector: Documentation = {
  id: "createConnector",
  tag: TAG,
  summary: "Create a connector",
  description: "What the Auckland HTTP sink takes, taken as it is.",
  body: { content: json(creationSchema) },
  answers: { 201: created },
  errors: [...OF_BODY, ...OF_CHANGE, "CONNECTOR_CONFIG_INVALID", "CONNECTOR_EXISTS"],
};

export const showConnector = ofConnector({
  id: "showConnector",
  summary: "One connector",
  answers: shown("As it was created; credentials are masked.", info),
});

const configured: Words = {
  id: "",
  summary: "",
  body: { content: json(configSchema) },
  answers: { ...shown("Changed; it takes effect at once.", info), 201: created },
  errors: [...OF_BODY, ...OF_CHANGE, "CONNECTOR_CONFIG_INVALID"],
};

export const putConnector = ofConnector({
  ...configured,
  id: "putConnector",
  summary: "Create or change a connector, as the Auckland sink's documentation has it",
});

export const putConfig = ofConnector({
  ...configured,
  id: "putConfig",
  summary: "Create or change a connector's configuration",
});

export const patchConfig = ofConnector({
  ...configured,
  id: "patchConfig",
  summary: "Change some settings of a connector",
  description: "`null` removes a setting; settings that are not named stay as they are.",
  answers: shown("Changed; it takes effect at once.", info),
});

export const deleteConnector = ofConnector({
  id: "deleteConnector",
  summary: "Delete a connector",
  description: "Its offsets stay: one of the same name goes on where it was.",
  answers: { 204: { description: "Deleted." } },
  errors: OF_CHANGE,
});

export const showConfig = ofConnector({
  id: "showConfig",
  summary: "A connector's configuration",
  answers: shown("Credentials are masked.", config),
});

export const showStatus = ofConnector({
  id: "showStatus",
  summary: "Does a connector deliver?",
  answers: shown("Its state, and its task's; a failed one says why.", status),
});

export const listTasks = ofConnector({
  id: "listTasks",
  summary: "A connector's tasks",
  answers: shown("One, or none while it is stopped.", z.array(z.object({ id: taskId, config }))),
});

const taskPath = {
  ...path,
  task: { description: "Number of the task.", schema: z.string().regex(/^\d{1,9}$/) },
};

export const showTaskStatus = ofConnector({
  id: "showTaskStatus",
  summary: "One task's state",
  path: taskPath,
  answers: shown("Its state.", taskStatus),
});

export const restartTask = ofConnector({
  id: "restartTask",
  summary: "Restart a task",
  path: taskPath,
  answers: { 204: { description: "Restarted." } },
  errors: OF_CHANGE,
});

const target = (id: string, summary: string, status: 202 | 204): Documentation =>
  ofConnector({ id, summary, answers: { [status]: { description: "It will be so." } }, errors: OF_CHANGE });

export const pauseByGet = target("pauseByGet", "Pause, as the Auckland sink's documentation has it", 202);
export const pause = target("pause", "Pause: no request until it is resumed", 202);
export const resumeByGet = target("resumeByGet", "Resume, as the Auckland sink's documentation has it", 202);
export const resume = target("resume", "Resume with the record that was next", 202);
export const stop = target("stop", "Stop: give up the partitions", 204);

export const restart = ofConnector({
  id: "restart",
  summary: "Restart a connector",
  query: {
    includeTasks: { description: "Answer with the status.", schema: flag },
    onlyFailed: { description: "Leave alone what runs.", schema: flag },
  },
  answers: {
    202: { description: "Restarted, with `includeTasks`.", content: json(status) },
    204: { description: "Restarted." },
  },
  errors: OF_CHANGE,
});

export const showOffsets = ofConnector({
  id: "showOffsets",
  summary: "How far a connector is",
  answers: shown(
    "The next record of each partition.",
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
  summary: "Replay from an offset or a time",
  description: "Only while the connector is stopped. `null` forgets a partition's offset.",
  body: { content: json(offsetsSchema) },
  answers: { 200: { description: "Altered.", content: message } },
  errors: [...OF_BODY, ...OF_CHANGE, "CONNECTOR_NOT_STOPPED", "PARTITION_UNKNOWN", "STATION_UNKNOWN"],
});

export const resetOffsets = ofConnector({
  id: "resetOffsets",
  summary: "Begin anew",
  description: "Only while the connector is stopped.",
  answers: { 200: { description: "Reset.", content: message } },
  errors: [...OF_CHANGE, "CONNECTOR_NOT_STOPPED"],
});

export const showTopics = ofConnector({
  id: "showTopics",
  summary: "The topics that a connector has read",
  answers: shown(
    "Since it was created, or since the last reset.",
    z.record(z.string(), z.object({ topics: z.array(z.string()) })),
  ),
});

export const resetTopics = ofConnector({
  id: "resetTopics",
  summary: "Forget the topics that a connector has read",
  answers: { 202: { description: "Forgotten; topics that it goes on reading come back." } },
  errors: ["BROKER_AMBIGUOUS"],
});

const deadLetters = z
  .object({ topic: z.string(), records: z.int(), replaying: z.boolean() })
  .meta({ id: "DeadLetters" });

export const showDeadLetters = ofConnector({
  id: "showDeadLetters",
  summary: "What a connector has given up",
  answers: shown("The topic and how many records are in it.", deadLetters),
  errors: ["REQUEST_INVALID"],
});

export const replayDeadLetters = ofConnector({
  id: "replayDeadLetters",
  summary: "Send again what was given up",
  answers: { 202: { description: "It has begun.", content: json(deadLetters) } },
  errors: ["REQUEST_INVALID", ...OF_CHANGE],
});
