/**
 * The operations of `/connectors`, with answers in the form of Kafka Connect. Each change is stored in the connectors'
 * topic first. Then all processes, including this process, apply it.
 */
import type { Broker } from "../../broker/broker.ts";
import { GatewayError } from "../../errors.ts";
import { topicsOf } from "./config-reader.ts";
import { unmaskConfig, type RawConfig } from "./masking.ts";
import {
  createChanges,
  unknownConnector,
  type ChangedKeys,
  type ChangesOptions,
  type ConfigPatch,
} from "./changes.ts";
import type { Entry } from "./directory.ts";
import { createConnectorOffsets, type OffsetRequest, type OffsetsView } from "./offsets.ts";
import type { Target } from "./connector-log-view.ts";
import type { DeadLetters, Replays } from "./replays.ts";
import { allPlugins, connectorPlugins, type Plugin } from "./plugins.ts";
import { reportOf, type ConfigReport } from "./validation.ts";
import * as views from "./views.ts";

/**
 * Each call waits a bounded time until the connectors' topic has been read. It rejects with BROKER_UNAVAILABLE if the
 * topic can't be read in this time, or can't be written.
 */
export interface Connectors {
  names(): Promise<readonly string[]>;
  /** The classes that run here: all, or only those of connectors. */
  plugins(which: "all" | "connectors"): readonly Plugin[];
  /**
   * Checks a configuration. A masked value stands for the stored one of the connector that `name` names, as in
   * `configure`. Throws CONNECTOR_CONFIG_INVALID if the class is unknown.
   */
  report(connectorClass: string, config: RawConfig): ConfigReport;
  /** This and the following methods reject with CONNECTOR_UNKNOWN. */
  origin(name: string): Promise<Entry["origin"]>;
  info(name: string): Promise<views.ConnectorInfo>;
  config(name: string): Promise<RawConfig>;
  status(name: string): Promise<views.ConnectorStatus>;
  tasks(name: string): Promise<readonly views.TaskInfo[]>;
  /** Topics that the connector has read since its creation or the last `resetTopics`. */
  topics(name: string): Promise<readonly string[]>;
  resetTopics(name: string): Promise<void>;
  /** Also rejects with CONNECTOR_EXISTS and CONNECTOR_CONFIG_INVALID. */
  create(name: string, config: RawConfig, target?: Target): Promise<views.ConnectorInfo>;
  /** Creates or replaces. Also rejects with CONNECTOR_READ_ONLY, CONNECTOR_CHANGED and CONNECTOR_CONFIG_INVALID. */
  configure(name: string, config: RawConfig): Promise<ConfigChange & { readonly created: boolean }>;
  /** Like `configure`, but keeps the keys that `patch` does not name. */
  patch(name: string, patch: ConfigPatch): Promise<ConfigChange>;
  retarget(name: string, target: Target): Promise<void>;
  /** Restarts the tasks. The answer says what is being restarted. */
  restart(name: string, options: { readonly onlyFailed: boolean }): Promise<views.ConnectorStatus>;
  remove(name: string): Promise<void>;
  offsets(name: string): Promise<OffsetsView>;
  /** `alterOffsets` and `resetOffsets` reject with CONNECTOR_NOT_STOPPED. `alterOffsets` also rejects with REQUEST_INVALID. */
  alterOffsets(name: string, requests: readonly OffsetRequest[]): Promise<void>;
  resetOffsets(name: string): Promise<void>;
  /** `deadLetters` and `replayDeadLetters` reject with REQUEST_INVALID if the connector has no `dead.letter.topic`. */
  deadLetters(name: string): Promise<DeadLetters>;
  /** Starts to send the current dead letters again. A record that is dropped again becomes a new dead letter. */
  replayDeadLetters(name: string): Promise<DeadLetters>;
}

export interface ConfigChange {
  readonly changed: ChangedKeys;
  readonly info: views.ConnectorInfo;
}

export interface ConnectorsOptions extends ChangesOptions {
  readonly broker: Broker;
  readonly replays: Replays;
  /** `host-pid:port` of this process. Connect names its workers by host and port. */
  readonly workerId: string;
}

const entryOf = async ({ log, directory }: ConnectorsOptions, name: string): Promise<Entry> => {
  await log.opened();
  const entry = directory.get(name);
  if (entry === undefined) throw unknownConnector(name);
  return entry;
};

const requireStopped = async (parts: ConnectorsOptions, name: string): Promise<void> => {
  if ((await entryOf(parts, name)).target === "STOPPED") return;
  throw new GatewayError("CONNECTOR_NOT_STOPPED", {
    message:
      "Connectors must be in the STOPPED state before their offsets can be modified. This can be done " +
      `for the specified connector by issuing a 'PUT' request to the '/connectors/${name}/stop' endpoint`,
  });
};

const offsetCalls = (
  parts: ConnectorsOptions,
): Pick<Connectors, "offsets" | "alterOffsets" | "resetOffsets"> => {
  const offsets = createConnectorOffsets(parts.broker, parts.clock);
  return {
    offsets: async (name) => {
      const { config } = await entryOf(parts, name);
      return offsets.view(name, topicsOf(config) ?? { names: [] });
    },
    alterOffsets: async (name, requests) => {
      await requireStopped(parts, name);
      await offsets.alter(name, requests);
    },
    resetOffsets: async (name) => {
      await requireStopped(parts, name);
      await offsets.reset(name);
    },
  };
};

/** Runs changes one after another, so that each change sees the result of the change before it. */
const createQueue = () => {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const next = last.then(work, work);
    last = next;
    return next;
  };
};

/** The answer of a restart: the state before it, with RESTARTING for the parts that are restarted. */
const restarting = (
  before: views.ConnectorStatus,
  { onlyFailed }: { readonly onlyFailed: boolean },
): views.ConnectorStatus => {
  const tasks = before.tasks.map(({ id, worker_id }) => ({ id, state: "RESTARTING" as const, worker_id }));
  const connector = onlyFailed ? before.connector : { ...before.connector, state: "RESTARTING" as const };
  return { ...before, connector, tasks };
};

const topicCalls = (parts: ConnectorsOptions): Pick<Connectors, "topics" | "resetTopics"> => ({
  topics: async (name) => {
    await entryOf(parts, name);
    return [...parts.log.topics(name)].sort();
  },
  resetTopics: async (name) => {
    await entryOf(parts, name);
    for (const topic of [...parts.log.topics(name)]) await parts.log.noteTopic(name, topic, false);
  },
});

export const createConnectors = (parts: ConnectorsOptions): Connectors => {
  const inTurn = createQueue();
  const changes = createChanges(parts);
  const info = async (name: string): Promise<views.ConnectorInfo> =>
    views.infoView(await entryOf(parts, name));
  const status = async (name: string): Promise<views.ConnectorStatus> =>
    views.statusView(await entryOf(parts, name), parts.workerId);
  return {
    names: async () => {
      await parts.log.opened();
      return parts.directory.names;
    },
    plugins: (which) => (which === "all" ? allPlugins(parts.facts) : connectorPlugins()),
    report: (connectorClass, config) => {
      const stored = parts.directory.get(config["name"] ?? "")?.config ?? {};
      return reportOf(connectorClass, unmaskConfig(config, stored), parts.facts);
    },
    origin: async (name) => (await entryOf(parts, name)).origin,
    info,
    config: async (name) => views.configView(await entryOf(parts, name)),
    status,
    tasks: async (name) => views.tasksView(await entryOf(parts, name)),
    create: (name, config, target = "RUNNING") =>
      inTurn(async () => {
        await changes.create(name, config, target);
        return info(name);
      }),
    configure: (name, config) =>
      inTurn(async () => ({ ...(await changes.configure(name, config)), info: await info(name) })),
    patch: (name, patch) =>
      inTurn(async () => ({ changed: await changes.patch(name, patch), info: await info(name) })),
    retarget: (name, target) => inTurn(() => changes.retarget(name, target)),
    restart: (name, options) =>
      inTurn(async () => {
        const before = await status(name);
        return (await changes.restart(name, options)) ? restarting(before, options) : before;
      }),
    remove: (name) => inTurn(() => changes.remove(name)),
    ...topicCalls(parts),
    ...offsetCalls(parts),
    deadLetters: async (name) => parts.replays.view(await entryOf(parts, name)),
    replayDeadLetters: (name) => inTurn(async () => parts.replays.start(await entryOf(parts, name))),
  };
};
