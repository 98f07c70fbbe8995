/** The route table: each API family adds its routes to it. */
import type { Role } from "../auth/operators/operator.ts";
import type { AuditAction } from "../observability/audit.ts";
import type { AuthorisedCall, Call } from "./call.ts";
import type { Row } from "./row.ts";

export type { Method } from "./row.ts";

/** The credential that a route needs: none, that of an operator, or any credential of a client. */
export type AuthNeed = "none" | "admin" | "client";

export interface OpenRoute extends Row {
  readonly auth: "none" | "admin";
  /** The least role with `auth` "admin". A function: the settings decide. Default: viewer for GET, admin for every other method. */
  readonly role?: Role | (() => Role);
  /** For a route with `auth` "admin" that changes something: its action in the audit. */
  readonly audit?: AuditAction;
  /** True for a request that changes nothing by its parameters: it has no entry in the audit, also if it is refused. */
  readonly isDry?: (call: Call) => boolean;
  handler(call: Call): void | Promise<void>;
}

/** A route for clients. Its handler runs only with a principal whose origins have been checked. */
export interface ClientRoute extends Row {
  readonly auth: "client";
  handler(call: AuthorisedCall): void | Promise<void>;
}

export type Route = OpenRoute | ClientRoute;

/** The least role for a route with `auth` "admin". */
export const leastRole = ({ role, method }: Pick<OpenRoute, "role" | "method">): Role => {
  if (role === undefined) return method === "GET" ? "viewer" : "admin";
  return typeof role === "string" ? role : role();
};
