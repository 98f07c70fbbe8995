/**
 * Reads the values that references of a configuration name. A value comes from an environment variable, an entry of a properties file,
 * or a file of a directory, and only from those that `delivery.configProviders` lists. A text about a reference contains the reference,
 * never the value.
 */
import { realpathSync } from "node:fs";
import path from "node:path";
import { FileFault, readBoundedFile } from "../../lib/bounded-file.ts";
import { errnoOf } from "../../lib/file-system.ts";
import { parseProperties } from "../../lib/properties.ts";
import type { ConfigFault } from "./config-fault.ts";
import { maskConfig, type RawConfig } from "./masking.ts";
import { type Reference, referencesIn, replaceReferences } from "./reference-text.ts";

/** `delivery.configProviders`. */
export interface ConfigProviders {
  /** Names of environment variables. */
  readonly env: readonly string[];
  /** Directories whose properties files may be read, and files below them. */
  readonly file: readonly string[];
  /** Directories whose files may be read, and directories below them. */
  readonly directory: readonly string[];
}

export interface ReferencesOptions {
  readonly providers: ConfigProviders;
  readonly environment: (name: string) => string | undefined;
}

export interface References {
  /** A fault for each key with a reference that is not allowed. */
  refusals(config: RawConfig): readonly ConfigFault[];
  /** Reads all references. The faults name the references that can't be read. Call it without refusals only. */
  resolve(config: RawConfig): Resolved;
  /** Takes another list into use. */
  allow(providers: ConfigProviders): void;
}

export type Resolved =
  | { readonly config: RawConfig; readonly values: ReadonlyMap<string, string> }
  | { readonly faults: readonly ConfigFault[] };

/** Maximum size of a file that a reference names. */
const MAX_FILE_BYTES = 1024 * 1024;

class UnreadableReference extends Error {}

const isBelow = (directory: string, file: string): boolean => {
  const relative = path.relative(directory, file);
  return relative === "" || (relative !== ".." && !relative.startsWith(`..${path.sep}`));
};

const isListed = (directories: readonly string[], wanted: string | undefined): boolean =>
  wanted !== undefined &&
  path.isAbsolute(wanted) &&
  directories.some((directory) => isBelow(path.resolve(directory), path.resolve(wanted)));

const isAllowed = (
  { provider, path: place, key }: Reference,
  { env, file, directory }: ConfigProviders,
): boolean => {
  if (provider === "env") return place === undefined && env.includes(key);
  if (provider === "file") return isListed(file, place);
  return provider === "directory" && isListed(directory, place);
};

/** Follows symbolic links, and requires that they stay in the directories. Throws UnreadableReference, FileFault or Node's error. */
const readWithin = (directories: readonly string[], file: string): string => {
  const real = realpathSync(file);
  const isInside = directories.some((directory) => {
    try {
      return isBelow(realpathSync(directory), real);
    } catch {
      return false;
    }
  });
  if (!isInside) throw new UnreadableReference("it leads out of the allowed directories");
  return readBoundedFile(real, MAX_FILE_BYTES).toString("utf8");
};

const valueOf = (reference: Reference, { providers, environment }: ReferencesOptions): string => {
  const { provider, path: place = "", key } = reference;
  if (provider === "env") {
    const value = environment(key);
    if (value === undefined) throw new UnreadableReference("the environment variable is not set");
    return value;
  }
  if (provider === "file") {
    const value = parseProperties(readWithin(providers.file, place)).get(key);
    if (value === undefined) throw new UnreadableReference("the file has no such key");
    return value;
  }
  if (key === "" || key === "." || key === ".." || key.includes("/"))
    throw new UnreadableReference("it names no file of the directory");
  return readWithin(providers.directory, path.join(place, key));
};

const reasonOf = (error: unknown): string => {
  if (error instanceof UnreadableReference || error instanceof FileFault) return error.message;
  return errnoOf(error) ?? "unknown error";
};

/** A reference without a list that allows it is not allowed. */
const refusalsOf = (config: RawConfig, providers: ConfigProviders): readonly ConfigFault[] => {
  const shown = maskConfig(config);
  return Object.entries(config).flatMap(([key, value]) => {
    const refused = referencesIn(value).find((reference) => !isAllowed(reference, providers));
    if (refused === undefined) return [];
    const line = `Invalid value ${shown[key] ?? ""} for configuration ${key}: config provider ${refused.provider} is not allowed`;
    return [{ key, message: line }];
  });
};

export const createReferences = (options: ReferencesOptions): References => {
  let { providers } = options;

  const resolve = (config: RawConfig): Resolved => {
    const values = new Map<string, string>();
    const faults: ConfigFault[] = [];
    for (const [key, value] of Object.entries(config))
      for (const reference of referencesIn(value))
        try {
          values.set(reference.text, valueOf(reference, { ...options, providers }));
        } catch (error) {
          const message = `The reference ${reference.text} of the key ${key} can't be read: ${reasonOf(error)}`;
          faults.push({ key, message, isUnread: true });
        }
    if (faults.length > 0) return { faults };
    const resolved = Object.entries(config).map(([key, value]): [string, string] => [
      key,
      replaceReferences(value, (text) => values.get(text) ?? text),
    ]);
    return { config: Object.fromEntries(resolved), values };
  };

  return {
    refusals: (config) => refusalsOf(config, providers),
    resolve,
    allow: (next) => {
      providers = next;
    },
  };
};
