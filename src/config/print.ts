/** Prints the effective settings and the list of all environment variables. */
import { stringify } from "yaml";
import { formatDuration, formatSize } from "../lib/units.ts";
import { variables, type Variable } from "./environment.ts";
import { withoutUrlCredentials } from "./faults.ts";
import type { KeyInfo } from "./keys.ts";
import { settingsSchema, type Settings } from "./schema/schema.ts";
import { defaultOf, infoOf, mapTree } from "./tree.ts";

const MASK = "***";

const formats: Readonly<Record<NonNullable<KeyInfo["unit"]>, (value: number) => string>> = {
  duration: formatDuration,
  size: formatSize,
  instant: (value) => new Date(value).toISOString(),
};

const masked = (value: unknown): unknown => {
  if (value === undefined) return undefined;
  return Array.isArray(value) ? value.map(() => MASK) : MASK;
};

const written = (value: unknown, info: KeyInfo | undefined): unknown => {
  if (info?.secret === true) return masked(value);
  if (typeof value === "number" && info?.unit !== undefined) return formats[info.unit](value);
  return value;
};

/** The effective settings in the form of a settings file, with masked secrets. */
export const printSettings = (settings: Settings): string =>
  withoutUrlCredentials(
    stringify(
      mapTree(settingsSchema, settings, (value, schema) => written(value, infoOf(schema))),
      { lineWidth: 0 },
    ),
  );

const assignment = ({ name, schema, info }: Variable): string => {
  const value = defaultOf(schema);
  const text = typeof value === "string" ? value : JSON.stringify(value ?? "");
  const lines = [`# ${info.help}`, `#   ${info.allowed}`, `# ${name}=${value === undefined ? "" : text}`];
  return [...lines, ...(info.secret === true ? [`# ${name}_FILE=`] : [])].join("\n");
};

/** The text of `.env.example`: each variable with its help, its allowed values and its default. */
export const printEnvExample = (): string =>
  [
    "# Every setting as an environment variable, with its default. Printed by `npm run -s print-env-example`.",
    "# A variable takes precedence over the settings file. An empty variable counts as not set. Lists and objects are JSON.",
    "# To read a secret from a file, set the variable with _FILE to the path of the file.",
    "",
    "# Path of the settings file.",
    "# STATIONGATE_CONFIG=",
    ...variables.map((variable) => `\n${assignment(variable)}`),
    "",
  ].join("\n");
