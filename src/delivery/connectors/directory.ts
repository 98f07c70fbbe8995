/** The connectors there are: those of the configuration file and those of the log, the file's first. */
import type { RawConfig } from "../config/masking.ts";
import type { ConnectorLog } from "./connector-log.ts";
import type { Failure, Target } from "./records.ts";

export interface Entry {
  readonly name: string;
  readonly origin: "file" | "rest";
  /** Secrets included. */
  readonly config: RawConfig;
  readonly target: Target;
  readonly run: number;
  /** Why this run's task has failed. */
  readonly failure: Failure | undefined;
}

export interface Directory {
  readonly names: readonly string[];
  get(name: string): Entry | undefined;
}

/** A definition that names no configuration belongs to a connector that has left the file. */
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
      failure: failure?.run === run ? failure : undefined,
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
