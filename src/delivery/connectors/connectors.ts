/**
 * The domain of `/connectors`: what operators ask for, as Kafka Connect answers it. Every change is stored in the
 * connectors' topic first and then followed by all pods, this one included.
 */
import type { Broker } from "../../broker/broker.ts";
import { GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { parseConnectorConfig } from "../config/connector-config.ts";
import { unmaskConfig, type RawConfig } from "../config/masking.ts";
import type { ConnectorLog } from "./connector-log.ts";
import type { Directory, Entry } from "./directory.ts";
import type { Fleet } from "./fleet.ts";
import { createConnectorOffsets, type OffsetRequest, type OffsetsView } from "./offsets.ts";
import type { Target } from "./records.ts";
import type { DeadLetters, Replays } from "./replays.ts";
import { requireValid } from "./validation.ts";
import * as views from "./views.ts";

/**
 * Every call waits a bounded time for the connectors' topic to be read, and rejects with BROKER_UNAVAILABLE when it
 * isn't by then, or when it can't be written.
 */
export interface Connectors {
  names(): Promise<readonly string[]>;
  /** These and the following reject with CONNECTOR_UNKNOWN. */
  info(name: string): Promise<views.ConnectorInfo>;
  config(name: string): Promise<RawConfig>;
  status(name: string): Promise<views.ConnectorStatus>;
  tasks(name: string): Promise<readonly views.TaskInfo[]>;
  /** Also CONNECTOR_EXISTS and CONNECTOR_CONFIG_INVALID. */
  create(name: string, config: RawConfig, target?: Target): Promise<views.ConnectorInfo>;
  /** Creates or replaces. Also CONNECTOR_READ_ONLY and CONNECTOR_CONFIG_INVALID. */
  configure(name: string, config: RawConfig): Promise<{ created: boolean; info: views.ConnectorInfo }>;
  retarget(name: string, target: Target): Promise<void>;
  /** Starts the tasks afresh; the status says what is being restarted. */
  restart(name: string, options: { readonly onlyFailed: boolean }): Promise<views.ConnectorStatus>;
  remove(name: string): Promise<void>;
  offsets(name: string): Promise<OffsetsView>;
  /** Both reject with CONNECTOR_NOT_STOPPED. */
  alterOffsets(name: string, requests: readonly OffsetRequest[]): Promise<void>;
  resetOffsets(name: string): Promise<void>;
  /** Both reject with REQUEST_INVALID for a connector without `dead.letter.topic`. */
  deadLetters(name: string): Promise<DeadLetters>;
  /** Begins to send the dead letters that there are once more; those given up again become letters again. */
  replayDeadLetters(name: string): Promise<DeadLetters>;
}

export interface ConnectorsOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly log: ConnectorLog;
  readonly directory: Directory;
  readonly fleet: Fleet;
  readonly replays: Replays;
  /** `host:port` of this process, as Connect names its workers. */
  readonly workerId: string;
}

type Desk = ConnectorsOptions;

const entryOf = async ({ log, directory }: Desk, name: string): Promise<Entry> => {
  await log.opened();
  const entry = directory.get(name);
  if (entry === undefined) {
    throw new GatewayError("CONNECTOR_UNKNOWN", { message: `Connector ${name} not found` });
  }
  return entry;
};

const requireWritable = ({ name, origin }: Entry): void => {
  if (origin === "rest") return;
  throw new GatewayError("CONNECTOR_READ_ONLY", {
    message: `Connector ${name} is declared in the configuration file, and can only be changed there`,
  });
};

/** Connect calls its connectors anything that isn't blank; a control character would only break logs. */
const requireName = (name: string): void => {
  if (name.trim() !== "" && !/\p{Cc}/u.test(name)) return;
  throw new GatewayError("CONNECTOR_CONFIG_INVALID", {
    message: "Connector name should be neither empty nor with control characters",
  });
};

/** Runs are numbered by the clock, so that a connector created anew never repeats one. */
const nextRun = ({ clock, directory }: Desk, name: string): number =>
  Math.max(clock.now(), (directory.get(name)?.run ?? 0) + 1);

const define = async (desk: Desk, name: string, config: RawConfig, target: Target): Promise<void> => {
  await desk.log.define(name, { config: { ...config, name }, target, run: nextRun(desk, name) });
  await desk.fleet.reconcile(name);
};

const create = async (desk: Desk, name: string, config: RawConfig, target: Target): Promise<void> => {
  await desk.log.opened();
  requireName(name);
  requireValid(name, config);
  if (desk.directory.get(name) !== undefined) {
    throw new GatewayError("CONNECTOR_EXISTS", { message: `Connector ${name} already exists` });
  }
  await define(desk, name, config, target);
};

const configure = async (desk: Desk, name: string, config: RawConfig): Promise<boolean> => {
  await desk.log.opened();
  requireName(name);
  const entry = desk.directory.get(name);
  if (entry !== undefined) requireWritable(entry);
  const unmasked = unmaskConfig(config, entry?.config ?? {});
  requireValid(name, unmasked);
  await define(desk, name, unmasked, entry?.target ?? "RUNNING");
  return entry === undefined;
};

/** Writes down what changes but the configuration; a file's connector keeps that in its file. */
const amend = async (desk: Desk, entry: Entry, change: { target?: Target; run?: number }): Promise<void> => {
  const { name, origin, target, run } = entry;
  const config = origin === "file" ? null : { ...entry.config };
  await desk.log.define(name, { config, target, run, ...change });
  await desk.fleet.reconcile(name);
};

/** The failure of a stopped task is not worth keeping: what starts again starts afresh. */
const retarget = async (desk: Desk, name: string, target: Target): Promise<void> => {
  const entry = await entryOf(desk, name);
  if (entry.target === target) return;
  const afresh = entry.target === "STOPPED" || target === "STOPPED";
  await amend(desk, entry, afresh ? { target, run: nextRun(desk, name) } : { target });
};

const restart = async (desk: Desk, name: string, onlyFailed: boolean): Promise<views.ConnectorStatus> => {
  const entry = await entryOf(desk, name);
  const status = views.statusView(entry, desk.workerId);
  if (onlyFailed && entry.failure === undefined) return status;
  await amend(desk, entry, { run: nextRun(desk, name) });
  const tasks = status.tasks.map(({ id, worker_id }) => ({ id, state: "RESTARTING" as const, worker_id }));
  const connector = onlyFailed ? status.connector : { ...status.connector, state: "RESTARTING" as const };
  return { ...status, connector, tasks };
};

const remove = async (desk: Desk, name: string): Promise<void> => {
  requireWritable(await entryOf(desk, name));
  await desk.log.define(name, undefined);
  await desk.fleet.reconcile(name);
};

const requireStopped = async (desk: Desk, name: string): Promise<void> => {
  if ((await entryOf(desk, name)).target === "STOPPED") return;
  throw new GatewayError("CONNECTOR_NOT_STOPPED", {
    message:
      "Connectors must be in the STOPPED state before their offsets can be modified. This can be done " +
      `for the specified connector by issuing a 'PUT' request to the '/connectors/${name}/stop' endpoint`,
  });
};

const offsetCalls = (desk: Desk): Pick<Connectors, "offsets" | "alterOffsets" | "resetOffsets"> => {
  const offsets = createConnectorOffsets(desk.broker, desk.clock);
  return {
    offsets: async (name) => {
      const parsed = parseConnectorConfig(name, (await entryOf(desk, name)).config);
      return offsets.view(name, "settings" in parsed ? parsed.settings.topics : { names: [] });
    },
    alterOffsets: async (name, requests) => {
      await requireStopped(desk, name);
      await offsets.alter(name, requests);
    },
    resetOffsets: async (name) => {
      await requireStopped(desk, name);
      await offsets.reset(name);
    },
  };
};

/** Changes that are asked for at once are made one after the other, each on what the one before has left. */
const createTurns = () => {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work, work);
    last = turn;
    return turn;
  };
};

export const createConnectors = (desk: ConnectorsOptions): Connectors => {
  const inTurn = createTurns();
  const info = async (name: string): Promise<views.ConnectorInfo> =>
    views.infoView(await entryOf(desk, name));
  return {
    names: async () => {
      await desk.log.opened();
      return desk.directory.names;
    },
    info,
    config: async (name) => views.configView(await entryOf(desk, name)),
    status: async (name) => views.statusView(await entryOf(desk, name), desk.workerId),
    tasks: async (name) => views.tasksView(await entryOf(desk, name)),
    create: (name, config, target = "RUNNING") =>
      inTurn(async () => {
        await create(desk, name, config, target);
        return info(name);
      }),
    configure: (name, config) =>
      inTurn(async () => ({ created: await configure(desk, name, config), info: await info(name) })),
    retarget: (name, target) => inTurn(() => retarget(desk, name, target)),
    restart: (name, { onlyFailed }) => inTurn(() => restart(desk, name, onlyFailed)),
    remove: (name) => inTurn(() => remove(desk, name)),
    ...offsetCalls(desk),
    deadLetters: async (name) => desk.replays.view(await entryOf(desk, name)),
    replayDeadLetters: (name) => inTurn(async () => desk.replays.start(await entryOf(desk, name))),
  };
};
