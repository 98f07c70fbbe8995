/** The route table: what every API family adds its rows to, and all that the app knows of them. */
import type { AuthorisedCall, Call } from "./call.ts";
import type { Row } from "./row.ts";

export type { Method } from "./row.ts";

/** Which credential a path asks for: none, an operator's token, or any credential of a client. */
export type AuthNeed = "none" | "admin" | "client";

export interface OpenRoute extends Row {
  readonly auth: "none" | "admin";
  handler(call: Call): void | Promise<void>;
}

/** A route for clients: its handler is reached only with a principal, whose origins have been checked. */
export interface ClientRoute extends Row {
  readonly auth: "client";
  handler(call: AuthorisedCall): void | Promise<void>;
}

export type Route = OpenRoute | ClientRoute;
