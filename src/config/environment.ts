/**
 * Environment variables of the settings, and of the commands that call a gateway. The name of a setting's variable follows
 * from the key's path: `server.bodyLimit` is STATIONGATE_SERVER_BODY_LIMIT.
 */
import { z } from "zod";
import { type Fault, unknownName } from "./faults.ts";
import type { KeyInfo } from "./keys.ts";
import { settingsSchema } from "./schema/schema.ts";
import { core, groupOf, infoOf, type Path, replaced } from "./tree.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = "STATIONGATE_";
/** Path of the settings file. It is not a setting itself. */
const CONFIG_VARIABLE = `${PREFIX}CONFIG`;
/** Variables of other programs that also set a setting of the gateway. The gateway's own variable wins. */
const STANDARD_NAMES: Readonly<Record<string, string>> = {
  OTEL_EXPORTER_OTLP_ENDPOINT: `${PREFIX}TRACING_ENDPOINT`,
};

/** Only the event service uses names with these prefixes. An unknown name with such a prefix is a fault. */
const ANCHOR_PREFIXES = ["EVENTS_QUEUE_KAFKA_", "EVENT_PROCESSOR_", "CALLBACK_API_"];

export interface Variable {
  readonly name: string;
  readonly path: Path;
  readonly schema: z.core.$ZodType;
  readonly info: KeyInfo;
}

/** The Anchor Platform's names have no prefix. `eventService.file` is the gateway's own key. */
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

/** All settings that have a variable, in the order of the tree. */
export const variables: readonly Variable[] = collect(settingsSchema, []);

interface Target {
  readonly schema: z.core.$ZodType;
  /** Path that the value is written to: the key itself or its `…File` key. */
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

/** Strings are taken literally. Other values are parsed as JSON; if that fails, the schema refuses the text. */
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
 * For a Service named stationgate, Kubernetes sets such variables in every pod. They are not settings, although
 * STATIONGATE_ADMIN_PORT (Service stationgate-admin) has the name of a setting.
 */
const isServiceLink = (name: string, value: string): boolean =>
  /_SERVICE_(HOST|PORT(_\w+)?)$/.test(name) ||
  /_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name) ||
  (name.endsWith("_PORT") && /^(tcp|udp|sctp):\/\//.test(value));

/** The gateway's name of a variable that is, or looks like, a setting; undefined: the variable is unrelated. */
const ownNameOf = (name: string, env: Environment): string | undefined => {
  const other = STANDARD_NAMES[name];
  if (other !== undefined) return env[other] ? undefined : other;
  if (name === CONFIG_VARIABLE || CLIENT_VARIABLES.has(name)) return undefined;
  const isOurs = name.startsWith(PREFIX) || targets.has(name);
  return isOurs || ANCHOR_PREFIXES.some((prefix) => name.startsWith(prefix)) ? name : undefined;
};

interface EnvironmentTree {
  readonly tree: unknown;
  readonly faults: readonly Fault[];
  /** The variable that each value comes from, by the key's path. */
  readonly origins: ReadonlyMap<string, string>;
}

/** Reads the environment into a tree of the settings file's form. An empty variable counts as not set. */
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
    // A fault of a secret from a file is reported at the secret's own key.
    origins.set(target.key.join("."), name);
  }
  return { tree, faults, origins };
};

/** The settings file that the environment names. */
export const configFileOf = (env: Environment): string | undefined => given(env[CONFIG_VARIABLE]);

/** A secret of a command that calls a gateway. The variable with `_FILE` names a file that contains the value. */
export type ClientSecret =
  "TOKEN" | "CONNECTION_TOKEN" | "PASSWORD" | "API_KEY" | "REFRESH_TOKEN" | "ADMIN_TOKEN";

type ClientVariable =
  "URL" | "ADMIN_URL" | "USERNAME" | "CA" | "CERT" | "KEY" | ClientSecret | `${ClientSecret}_FILE`;

const SECRETS = [
  "TOKEN",
  "CONNECTION_TOKEN",
  "PASSWORD",
  "API_KEY",
  "REFRESH_TOKEN",
] as const satisfies ClientSecret[];

export const nameOfClientVariable = (variable: ClientVariable): string => `${PREFIX}${variable}`;

/** Variables of the commands, which the gateway ignores. STATIONGATE_ADMIN_TOKEN is not among them: it is also a setting. */
const CLIENT_VARIABLES: ReadonlySet<string> = new Set(
  (
    [
      "URL",
      "ADMIN_URL",
      "USERNAME",
      "CA",
      "CERT",
      "KEY",
      ...SECRETS,
      ...SECRETS.map((name) => `${name}_FILE` as const),
    ] as const
  ).map(nameOfClientVariable),
);

const given = (value: string | undefined): string | undefined => (value === "" ? undefined : value);

/** An empty variable counts as not set. */
export const clientVariable = (env: Environment, variable: ClientVariable): string | undefined =>
  given(env[nameOfClientVariable(variable)]);

/** Default directory of the identity of a gateway that was started in the current directory. */
export const dataDirectory = (env: Environment): string =>
  given(env["STATIONGATE_BROKER_EMBEDDED_DIR"]) ?? "data";

/** An environment variable that connectors may refer to (`delivery.configProviders.env`). undefined: it is not set. */
export const environmentVariable = (name: string): string | undefined => process.env[name];
