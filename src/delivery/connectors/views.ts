/** The answers about connectors, in the form of Kafka Connect's REST API. */
import { classOf } from "./connector-config.ts";
import { COMMON_KEYS } from "./keys.ts";
import { maskConfig, type RawConfig } from "./masking.ts";
import type { Entry } from "./directory.ts";

interface TaskId {
  readonly connector: string;
  readonly task: number;
}

export interface ConnectorInfo {
  readonly name: string;
  readonly config: RawConfig;
  readonly tasks: readonly TaskId[];
  readonly type: "sink";
}

type State = "RUNNING" | "PAUSED" | "STOPPED" | "FAILED" | "RESTARTING";

interface TaskStatus {
  readonly id: number;
  readonly state: State;
  readonly worker_id: string;
  readonly trace?: string;
}

export interface ConnectorStatus {
  readonly name: string;
  readonly connector: { readonly state: State; readonly worker_id: string };
  readonly tasks: readonly TaskStatus[];
  readonly type: "sink";
}

export interface TaskInfo {
  readonly id: TaskId;
  readonly config: RawConfig;
}

export const configView = ({ name, config }: Entry): RawConfig => ({ ...maskConfig(config), name });

/** A stopped connector has no tasks. All tasks of a connector have the same state, because one runner does the work of all tasks. */
const taskIds = ({ target, config }: Entry): readonly number[] => {
  const parsed = COMMON_KEYS.tasksMax.parse(config[COMMON_KEYS.tasksMax.name] ?? "1");
  const count = "value" in parsed ? parsed.value : 1;
  return target === "STOPPED" ? [] : Array.from({ length: count }, (_, id) => id);
};

export const infoView = (entry: Entry): ConnectorInfo => ({
  name: entry.name,
  config: configView(entry),
  tasks: taskIds(entry).map((task) => ({ connector: entry.name, task })),
  type: "sink",
});

export const tasksView = (entry: Entry): readonly TaskInfo[] =>
  taskIds(entry).map((task) => ({
    id: { connector: entry.name, task },
    config: { ...configView(entry), "task.class": classOf(entry.config).replace(/Connector$/, "Task") },
  }));

export const statusView = (entry: Entry, workerId: string): ConnectorStatus => {
  const { name, target, failure } = entry;
  const task =
    failure === undefined
      ? { state: target, worker_id: workerId }
      : { state: "FAILED" as const, worker_id: failure.workerId, trace: failure.trace };
  return {
    name,
    connector: { state: target, worker_id: workerId },
    tasks: taskIds(entry).map((id) => ({ id, ...task })),
    type: "sink",
  };
};
