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
  /** A GET that changes something: a browser's session counts for it as little as for a POST of another site. */
  readonly changes?: boolean;
  /** undefined: in no document; a row that only refuses, or a file that a page of ours needs. */
  readonly documentation: Documentation | undefined;
}
