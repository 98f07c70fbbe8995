/**
 * Changes of connectors. Each change is decided on the newest state of the log. If another process has changed the
 * connector in the meantime (see `ConnectorLog.define`), a change of the configuration is refused, and any other change is
 * decided again on the new state.
 */
import { GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { unmaskConfig, type RawConfig } from "./masking.ts";
import type { GatewayFacts } from "./config-reader.ts";
import type { ConnectorLog } from "./connector-log.ts";
import type { Directory, Entry } from "./directory.ts";
import type { ConnectorRunners } from "./connector-runners.ts";
import type { Definition, Target } from "./connector-log-view.ts";
import { requireName, requireValid } from "./validation.ts";

export interface ChangesOptions {
  readonly clock: Clock;
  readonly log: ConnectorLog;
  readonly directory: Directory;
  readonly runners: ConnectorRunners;
  /** New configurations are checked against them. */
  readonly facts: GatewayFacts;
}

/** Keys to set. null removes a key. */
export type ConfigPatch = Readonly<Record<string, string | null>>;

export interface Changes {
  /** Rejects with CONNECTOR_EXISTS and CONNECTOR_CONFIG_INVALID. */
  create(name: string, config: RawConfig, target: Target): Promise<void>;
  /** Rejects with CONNECTOR_CHANGED, CONNECTOR_READ_ONLY and CONNECTOR_CONFIG_INVALID. */
  configure(
    name: string,
    config: RawConfig,
  ): Promise<{ readonly created: boolean; readonly changed: ChangedKeys }>;
  /** This and the following methods reject with CONNECTOR_UNKNOWN. `patch` also rejects as `configure` does. */
  patch(name: string, patch: ConfigPatch): Promise<ChangedKeys>;
  retarget(name: string, target: Target): Promise<void>;
  /** Restarts the tasks. false: `onlyFailed` is set and no task has failed. */
  restart(name: string, options: { readonly onlyFailed: boolean }): Promise<boolean>;
  /** Also rejects with CONNECTOR_READ_ONLY. */
  remove(name: string): Promise<void>;
}

/** The configuration keys with another value than before, or only before, or only now. */
export type ChangedKeys = readonly string[];

const changedKeys = (before: RawConfig, now: RawConfig): ChangedKeys =>
  [...new Set([...Object.keys(before), ...Object.keys(now)])].filter((key) => before[key] !== now[key]);

export const unknownConnector = (name: string): GatewayError =>
  new GatewayError("CONNECTOR_UNKNOWN", { message: `Connector ${name} not found` });

const existing = ({ directory }: ChangesOptions, name: string): Entry => {
  const entry = directory.get(name);
  if (entry === undefined) throw unknownConnector(name);
  return entry;
};

const requireWritable = ({ name, origin }: Entry): void => {
  if (origin === "rest") return;
  throw new GatewayError("CONNECTOR_READ_ONLY", {
    message: `Connector ${name} is declared in the settings file and can only be changed there`,
  });
};

/** Run numbers come from the clock, so a connector that is created again never reuses a number. */
const nextRun = ({ clock, directory }: ChangesOptions, name: string): number =>
  Math.max(clock.now(), (directory.get(name)?.run ?? 0) + 1);

/** The definition to write (undefined: the connector is removed), or "nothing" if nothing changes. */
type Decision = { readonly definition: Definition | undefined } | "nothing";

/** Decides on the newest state and writes the definition. "late": another change came first. */
const change = async (
  { log, runners }: ChangesOptions,
  name: string,
  decide: () => Decision,
): Promise<"done" | "nothing" | "late"> => {
  const seen = await log.latest();
  const decision = decide();
  if (decision === "nothing") return "nothing";
  const inTime = await log.define(name, decision.definition, seen);
  await runners.reconcile(name);
  return inTime ? "done" : "late";
};

const changedMeanwhile = (name: string): GatewayError =>
  new GatewayError("CONNECTOR_CHANGED", {
    message: `Connector ${name} was changed by another request at the same time; read its configuration and make the change again`,
  });

const changeOnce = async (options: ChangesOptions, name: string, decide: () => Decision): Promise<void> => {
  if ((await change(options, name, decide)) === "late") throw changedMeanwhile(name);
};

const MAX_TRIES = 10;

/** Repeats the decision while other changes come first. true: the connector was changed. */
const changeRepeatedly = async (
  options: ChangesOptions,
  name: string,
  decide: () => Decision,
): Promise<boolean> => {
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    const end = await change(options, name, decide);
    if (end !== "late") return end === "done";
  }
  throw changedMeanwhile(name);
};

const configChanges = (options: ChangesOptions): Pick<Changes, "create" | "configure" | "patch"> => {
  const { directory, facts } = options;

  const fresh = (name: string, config: RawConfig, target: Target): Decision => {
    requireValid(name, config, facts);
    return { definition: { config: { ...config, name }, target, run: nextRun(options, name) } };
  };

  const exists = (name: string): GatewayError =>
    new GatewayError("CONNECTOR_EXISTS", { message: `Connector ${name} already exists` });

  return {
    create: async (name, config, target) => {
      const end = await change(options, name, () => {
        requireName(name);
        const decision = fresh(name, config, target);
        if (directory.get(name) !== undefined) throw exists(name);
        return decision;
      });
      if (end === "late") throw directory.get(name) === undefined ? changedMeanwhile(name) : exists(name);
    },
    configure: async (name, config) => {
      let made: { created: boolean; changed: ChangedKeys } = { created: false, changed: [] };
      await changeOnce(options, name, () => {
        const entry = directory.get(name);
        if (entry === undefined) requireName(name);
        else requireWritable(entry);
        const stored = entry?.config ?? {};
        const given = unmaskConfig(config, stored);
        made = { created: entry === undefined, changed: changedKeys(stored, { ...given, name }) };
        return fresh(name, given, entry?.target ?? "RUNNING");
      });
      return made;
    },
    patch: async (name, patch) => {
      let changed: ChangedKeys = [];
      await changeOnce(options, name, () => {
        const { target, config, ...entry } = existing(options, name);
        requireWritable({ ...entry, target, config });
        const merged = Object.entries({ ...config, ...patch }).filter(
          (setting): setting is [string, string] => setting[1] !== null,
        );
        const given = unmaskConfig(Object.fromEntries(merged), config);
        changed = changedKeys(config, { ...given, name });
        return fresh(name, given, target);
      });
      return changed;
    },
  };
};

export const createChanges = (options: ChangesOptions): Changes => {
  /** Changes the target state or the run. The configuration of a declared connector stays in its file. */
  const amended = (entry: Entry, amendment: { target?: Target; run?: number }): Decision => {
    const { origin, target, run } = entry;
    const config = origin === "file" ? null : { ...entry.config };
    return { definition: { config, target, run, ...amendment } };
  };

  return {
    ...configChanges(options),
    /** A change to or from STOPPED begins a new run, so a failure of the earlier run no longer counts. */
    retarget: async (name, target) => {
      await changeRepeatedly(options, name, () => {
        const entry = existing(options, name);
        if (entry.target === target) return "nothing";
        const isNewRun = entry.target === "STOPPED" || target === "STOPPED";
        return amended(entry, isNewRun ? { target, run: nextRun(options, name) } : { target });
      });
    },
    restart: (name, { onlyFailed }) =>
      changeRepeatedly(options, name, () => {
        const entry = existing(options, name);
        if (onlyFailed && entry.failure === undefined) return "nothing";
        return amended(entry, { run: nextRun(options, name) });
      }),
    remove: async (name) => {
      await changeRepeatedly(options, name, () => {
        requireWritable(existing(options, name));
        return { definition: undefined };
      });
    },
  };
};
