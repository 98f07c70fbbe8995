/** A row of the route table, without its handler. */
import type { Documentation } from "./documentation.ts";

/** "ALL": every method that no earlier row of the same path has. */
export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" | "ALL";

/** The API family, which decides the shape of error bodies. */
export type ErrorFamily = "auth" | "stations" | "rest-proxy" | "connect" | "problem";

export interface Row {
  readonly method: Method;
  /** Express's syntax; matched in any case, with or without a slash at its end. */
  readonly path: string;
  readonly family: ErrorFamily;
  /** Its requests are logged at debug level only. */
  readonly quiet?: boolean;
  /** True for a GET that changes something. As for a POST, the session cookie counts only if the request comes from a page of this gateway. */
  readonly changes?: boolean;
  /** undefined: the OpenAPI document omits the route, because it only refuses, or serves a file of the console. */
  readonly documentation: Documentation | undefined;
}
