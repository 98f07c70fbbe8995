/** What the app knows of a route before anyone calls it. */
import type { Documentation } from "./documentation.ts";

/** "ALL": whatever the rows before it of the same path leave. */
export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" | "ALL";

/** Whose words errors are told in. */
export type ErrorFamily = "auth" | "stations" | "rest-proxy" | "connect" | "problem";

export interface Row {
  readonly method: Method;
  /** Express's syntax; matched in any case, with or without a slash at its end. */
  readonly path: string;
  readonly family: ErrorFamily;
  /** Its requests are logged at debug level only. */
  readonly quiet?: boolean;
  /** undefined: a row that only refuses. */
  readonly documentation: Documentation | undefined;
}
