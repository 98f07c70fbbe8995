/** The route table: each API family adds its routes to it. */
import type { AuthorisedCall, Call } from "./call.ts";
import type { Row } from "./row.ts";

export type { Method } from "./row.ts";

/** The credential that a route needs: none, that of an operator, or any credential of a client. */
export type AuthNeed = "none" | "admin" | "client";

export interface OpenRoute extends Row {
  readonly auth: "none" | "admin";
  handler(call: Call): void | Promise<void>;
}

/** A route for clients. Its handler runs only with a principal whose origins have been checked. */
export interface ClientRoute extends Row {
  readonly auth: "client";
  handler(call: AuthorisedCall): void | Promise<void>;
}

export type Route = OpenRoute | ClientRoute;
