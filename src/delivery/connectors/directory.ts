/** All connectors: those of the settings file and those of the log. The settings file has precedence. */
import { createHash } from "node:crypto";
import type { RawConfig } from "./masking.ts";
import type { ConnectorLog } from "./connector-log.ts";
import type { Failure, Target } from "./connector-log-view.ts";

export interface Entry {
  readonly name: string;
  readonly origin: "file" | "rest";
  /** Contains secrets. */
  readonly config: RawConfig;
  readonly target: Target;
  /** Number of the run. It grows with each change that restarts the task. */
  readonly run: number;
  /** Failure of the task in this run. */
  readonly failure: Failure | undefined;
}

/** A hash that identifies a configuration without revealing it. */
export const configHash = (config: RawConfig): string =>
  createHash("sha256")
    .update(JSON.stringify(Object.entries(config).sort(([one], [other]) => (one < other ? -1 : 1))))
    .digest("base64url");

/** A failure counts only for its run and its configuration. The configuration of a declared connector may change without a new run. */
const isOf = (failure: Failure, run: number, config: RawConfig): boolean =>
  failure.run === run && (failure.config === undefined || failure.config === configHash(config));

export interface Directory {
  readonly names: readonly string[];
  get(name: string): Entry | undefined;
}

/** A definition without configuration belongs to a connector of the file. If the file no longer declares it, it doesn't exist. */
export const createDirectory = (declared: ReadonlyMap<string, RawConfig>, log: ConnectorLog): Directory => {
  const get = (name: string): Entry | undefined => {
    const definition = log.definition(name);
    const fromFile = declared.get(name);
    const config = fromFile ?? definition?.config;
    if (config === undefined || config === null) return undefined;
    const run = definition?.run ?? 0;
    const failure = log.failure(name);
    return {
      name,
      origin: fromFile === undefined ? "rest" : "file",
      config,
      target: definition?.target ?? "RUNNING",
      run,
      failure: failure !== undefined && isOf(failure, run, config) ? failure : undefined,
    };
  };
  return {
    get names() {
      const all = new Set([...declared.keys(), ...log.names]);
      return [...all].filter((name) => get(name) !== undefined).sort();
    },
    get,
  };
};
