/** A request and its response, with the facts that the error responder, the log and the metrics need. */
import type { Request, Response } from "express";
import type { Operator } from "../auth/operators/operator.ts";
import type { Principal } from "../auth/principal.ts";
import type { GatewayError } from "../errors.ts";
import type { AuditAction } from "../observability/audit.ts";
import type { ErrorFamily, Row } from "./row.ts";

export interface Call {
  /** Identifies the request in the answer, in error bodies and in the log. */
  readonly id: string;
  readonly request: Request;
  readonly response: Response;
  /** Milliseconds of a monotonic clock. */
  readonly startedAt: number;
  /** The template of the route; undefined before a route matches, and if none does. */
  route: string | undefined;
  family: ErrorFamily;
  /** The call is logged at debug level, as probes are: they are too frequent for a line each. */
  quiet: boolean;
  principal: Principal | undefined;
  /** The caller on the operators' listener. */
  operator: Operator | undefined;
  /** The call has a secret credential: of an account, a server key or an operator. */
  isKnown: boolean;
  /** Memory taken for the body; it is returned when the call has ended. */
  heldBytes: number;
  heldIn: { give(bytes: number): void } | undefined;
  /** The error that was answered. */
  failure: GatewayError | undefined;
  /** The client asked for the result of each event (RFC 7240, `return=representation`). */
  representation: boolean;
  readonly facts: CallFacts;
  /** Facts for the audit entry of the call. */
  readonly audited: AuditFacts;
}

/** What a handler knows better than its route. */
export interface AuditFacts {
  /** Default: that of the route. */
  action?: AuditAction;
  /** Default: the name in the path. */
  target?: string;
  /** Names of settings or configuration keys. */
  changed?: readonly string[];
}

/** A call whose principal is known. */
export type AuthorisedCall = Call & { readonly principal: Principal };

/** Facts for the log line. */
export interface CallFacts {
  station?: string;
  /** Number of events by outcome. */
  stored?: number;
  refused?: number;
  unstored?: number;
  /** Number of events in the answer. */
  consumed?: number;
  /** Bytes of the decoded body. */
  bytes?: number;
}

const CALL = Symbol("call");
type Carrier = Response & { [CALL]?: Call };

/** Creates the call of a response. The first middleware calls it. */
export const openCall = (request: Request, response: Response, id: string): Call => {
  const call: Call = {
    id,
    request,
    response,
    startedAt: performance.now(),
    route: undefined,
    family: "problem",
    quiet: false,
    principal: undefined,
    operator: undefined,
    isKnown: false,
    heldBytes: 0,
    heldIn: undefined,
    failure: undefined,
    representation: false,
    facts: {},
    audited: {},
  };
  (response as Carrier)[CALL] = call;
  return call;
};

/** The call of a response. Every request of the app has one. */
export const callOf = (response: Response | undefined): Call => {
  const call = (response as Carrier | undefined)?.[CALL];
  if (call === undefined) throw new TypeError("No call was opened for this response");
  return call;
};

/** The call enters a route: errors have the shape of its API family from here on. */
export const enterRoute = (response: Response, row: Row): Call => {
  const call = callOf(response);
  call.route = row.path;
  call.family = row.family;
  call.quiet = row.quiet ?? false;
  return call;
};
