/**
 * What the commands of `stationgate` that talk to a gateway take from the environment. They share the settings' prefix,
 * and are no settings: a gateway that finds them in its own environment leaves them alone.
 */

/** Its `…_FILE` form names a file that holds the value. */
export type ClientSecret =
  "TOKEN" | "CONNECTION_TOKEN" | "PASSWORD" | "API_KEY" | "REFRESH_TOKEN" | "ADMIN_TOKEN";

export type ClientVariable = "URL" | "ADMIN_URL" | "USERNAME" | ClientSecret | `${ClientSecret}_FILE`;

const SECRETS = [
  "TOKEN",
  "CONNECTION_TOKEN",
  "PASSWORD",
  "API_KEY",
  "REFRESH_TOKEN",
] as const satisfies ClientSecret[];

export const nameOfClientVariable = (variable: ClientVariable): string => `STATIONGATE_${variable}`;

/** The names that mean nothing to the gateway. STATIONGATE_ADMIN_TOKEN means the same to both. */
export const CLIENT_VARIABLES: ReadonlySet<string> = new Set(
  (
    ["URL", "ADMIN_URL", "USERNAME", ...SECRETS, ...SECRETS.map((name) => `${name}_FILE` as const)] as const
  ).map(nameOfClientVariable),
);

const given = (value: string | undefined): string | undefined => (value === "" ? undefined : value);

/** An empty variable counts as not set. */
export const clientVariable = (
  env: Readonly<Record<string, string | undefined>>,
  variable: ClientVariable,
): string | undefined => given(env[nameOfClientVariable(variable)]);

/** Where a gateway of this directory keeps its identity, unless its settings say otherwise. */
export const dataDirectory = (env: Readonly<Record<string, string | undefined>>): string =>
  given(env["STATIONGATE_BROKER_EMBEDDED_DIR"]) ?? "data";
