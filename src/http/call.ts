/** One request and its answer, with what was learnt of it on the way: for the error responder, the log and metrics. */
import type { Request, Response } from "express";
import type { Principal } from "../auth/principal.ts";
import type { GatewayError } from "../errors.ts";
import type { ErrorFamily, Row } from "./row.ts";

export interface Call {
  /** Names the request in the answer, in error bodies and in the log. */
  readonly id: string;
  readonly request: Request;
  readonly response: Response;
  /** Milliseconds of a clock that never jumps. */
  readonly startedAt: number;
  /** The route's template; undefined while, or if, no route matches. */
  route: string | undefined;
  family: ErrorFamily;
  /** Logged at debug level: probes ask too often to be worth a line. */
  quiet: boolean;
  principal: Principal | undefined;
  /** A credential that is not public stands behind it: an account's, a server's key, an operator's. */
  isKnown: boolean;
  /** Bytes of the body, and the memory that gets them back when the call has ended. */
  heldBytes: number;
  heldIn: { give(bytes: number): void } | undefined;
  /** The failure that became the answer. */
  failure: GatewayError | undefined;
  /** The client asked for each event's outcome (RFC 7240, `return=representation`). */
  representation: boolean;
  readonly facts: CallFacts;
}

/** A call whose principal is known. */
export type AuthorisedCall = Call & { readonly principal: Principal };

/** For the log line. */
export interface CallFacts {
  station?: string;
  /** Events by how they ended. */
  stored?: number;
  refused?: number;
  unstored?: number;
  /** Events in the answer. */
  consumed?: number;
  /** Of the body, as stored: decoded. */
  bytes?: number;
}

const CALL = Symbol("call");
type Carrier = Response & { [CALL]?: Call };

/** Ties a new call to its response; the first thing that happens to a request. */
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
    isKnown: false,
    heldBytes: 0,
    heldIn: undefined,
    failure: undefined,
    representation: false,
    facts: {},
  };
  (response as Carrier)[CALL] = call;
  return call;
};

/** The call that this response answers; there is one for every request that the app has seen. */
export const callOf = (response: Response | undefined): Call => {
  const call = (response as Carrier | undefined)?.[CALL];
  if (call === undefined) throw new TypeError("No call was opened for this response");
  return call;
};

/** From here on the call is that route's: its errors are told in the route's words. */
export const enterRoute = (response: Response, row: Row): Call => {
  const call = callOf(response);
  call.route = row.path;
  call.family = row.family;
  call.quiet = row.quiet ?? false;
  return call;
};
