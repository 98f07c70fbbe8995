/** Settings from the environment: each key has a name made of its path, `server.bodyLimit` is STATIONGATE_SERVER_BODY_LIMIT. */
import { z } from "zod";
import { CLIENT_VARIABLES } from "./client-variables.ts";
import { unknownName, type Fault } from "./faults.ts";
import type { KeyInfo } from "./keys.ts";
import { settingsSchema } from "./schema/schema.ts";
import { core, groupOf, infoOf, replaced, type Path } from "./tree.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = "STATIONGATE_";
/** Names the settings file; no setting itself. */
const CONFIG_VARIABLE = `${PREFIX}CONFIG`;
/** Names that others have settled, for settings that have one of ours too, which wins. */
const FOREIGN: Readonly<Record<string, string>> = {
  OTEL_EXPORTER_OTLP_ENDPOINT: `${PREFIX}TRACING_ENDPOINT`,
};

/** Names that begin like this are the event service's alone, and one that is unknown is a mistake. */
const ANCHOR_PREFIXES = ["EVENTS_QUEUE_KAFKA_", "EVENT_PROCESSOR_", "CALLBACK_API_"];

export interface Variable {
  readonly name: string;
  readonly path: Path;
  readonly schema: z.core.$ZodType;
  readonly info: KeyInfo;
}

/** The Anchor Platform's names have no prefix, and its file is called by ours. */
const isAnchorName = ([group, name]: Path): boolean => group === "eventService" && name !== "file";

const nameOf = (path: Path): string =>
  (isAnchorName(path) ? "" : PREFIX) +
  (isAnchorName(path) ? path.slice(1) : path)
    .map((step) =>
      String(step)
        .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
        .toUpperCase(),
    )
    .join("_");

const collect = (schema: z.core.$ZodType, path: Path): readonly Variable[] => {
  const info = infoOf(schema);
  const own = info === undefined ? [] : [{ name: nameOf(path), path, schema, info }];
  const group = groupOf(schema, undefined) ?? {};
  return [...own, ...Object.entries(group).flatMap(([name, inner]) => collect(inner, [...path, name]))];
};

/** Every setting that has a variable of its own, in the order of the tree. */
export const variables: readonly Variable[] = collect(settingsSchema, []);

interface Target {
  readonly schema: z.core.$ZodType;
  /** Where the value goes: the key's place, or its `…File` sibling's. */
  readonly path: Path;
  readonly key: Path;
}

const targetsOf = ({ name, path, schema, info }: Variable): readonly (readonly [string, Target])[] => {
  const own = [name, { schema, path, key: path }] as const;
  const file = [...path.slice(0, -1), `${String(path.at(-1))}File`];
  return info.secret === true
    ? [own, [`${name}_FILE`, { schema: z.string(), path: file, key: path }]]
    : [own];
};

const targets: ReadonlyMap<string, Target> = new Map(variables.flatMap(targetsOf));

/** Texts are what they say; numbers, flags, lists and objects are JSON, and what is no JSON is left for the schema to judge. */
const valueOf = (schema: z.core.$ZodType, text: string): unknown => {
  if (core(schema) instanceof z.ZodString || core(schema) instanceof z.ZodEnum) return text;
  try {
    const value: unknown = JSON.parse(text);
    return value ?? text;
  } catch {
    return text;
  }
};

/**
 * Kubernetes sets such variables in every pod for a Service that is called stationgate (or stationgate-admin, whose
 * STATIONGATE_ADMIN_PORT even has a setting's name): they are no one's settings.
 */
const isServiceLink = (name: string, value: string): boolean =>
  /_SERVICE_(HOST|PORT(_\w+)?)$/.test(name) ||
  /_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name) ||
  (name.endsWith("_PORT") && /^(tcp|udp|sctp):\/\//.test(value));

/** The name among ours of a variable that is a setting, or means to be; undefined: it is none of our business. */
const ownNameOf = (name: string, env: Environment): string | undefined => {
  const other = FOREIGN[name];
  if (other !== undefined) return env[other] ? undefined : other;
  if (name === CONFIG_VARIABLE || CLIENT_VARIABLES.has(name)) return undefined;
  const isOurs = name.startsWith(PREFIX) || targets.has(name);
  return isOurs || ANCHOR_PREFIXES.some((prefix) => name.startsWith(prefix)) ? name : undefined;
};

export interface EnvironmentTree {
  readonly tree: unknown;
  readonly faults: readonly Fault[];
  /** Which variable each given place came from. */
  readonly origins: ReadonlyMap<string, string>;
}

/** What the environment says, as a tree like the file's. An empty variable counts as not set. */
export const readEnvironment = (env: Environment): EnvironmentTree => {
  const faults: Fault[] = [];
  const origins = new Map<string, string>();
  let tree: unknown = {};
  for (const [name, text] of Object.entries(env)) {
    const own = ownNameOf(name, env);
    if (own === undefined || !text || isServiceLink(name, text)) continue;
    const target = targets.get(own);
    if (target === undefined) {
      faults.push({ path: [name], text: unknownName(name, [...targets.keys(), CONFIG_VARIABLE]) });
      continue;
    }
    tree = replaced(tree, target.path, valueOf(target.schema, text));
    // A fault of a secret from a file stands at the secret's own key.
    origins.set(target.key.join("."), name);
  }
  return { tree, faults, origins };
};

/** The settings file that the environment names. */
export const configFileOf = (env: Environment): string | undefined => {
  const path = env[CONFIG_VARIABLE];
  return path === "" ? undefined : path;
};
