/** The connectors there are: those of the configuration file and those of the log, the file's first. */
import { createHash } from "node:crypto";
import type { RawConfig } from "./masking.ts";
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

/** Tells one configuration from another; not what is in it. */
export const printOf = (config: RawConfig): string =>
  createHash("sha256")
    .update(JSON.stringify(Object.entries(config).sort(([one], [other]) => (one < other ? -1 : 1))))
    .digest("base64url");

/** A failure of an earlier run, or of what another version of the configuration file says, is over. */
const isOf = (failure: Failure, run: number, config: RawConfig): boolean =>
  failure.run === run && (failure.config === undefined || failure.config === printOf(config));

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
