/**
 * Environment variables of the `stationgate` commands that call a gateway. They have the same prefix as the settings, but
 * the gateway itself ignores them.
 */

/** The variable with `_FILE` names a file that contains the value. */
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

/** The variables that the gateway ignores. STATIONGATE_ADMIN_TOKEN is not among them: it is also a setting. */
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

/** Default directory of the identity of a gateway that was started in the current directory. */
export const dataDirectory = (env: Readonly<Record<string, string | undefined>>): string =>
  given(env["STATIONGATE_BROKER_EMBEDDED_DIR"]) ?? "data";
