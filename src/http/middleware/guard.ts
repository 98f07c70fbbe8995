/** Checks the credential of a call before the handler of its route runs. */
import type { Request, RequestHandler } from "express";
import type { Authenticate, Credentials } from "../../auth/authenticator.ts";
import type { ClientCertificate } from "../../auth/certificates.ts";
import { type Operator, requireRole } from "../../auth/operators/operator.ts";
import type { AdmitOperator } from "../../auth/operators/operators.ts";
import { requireOrigin } from "../../auth/permissions.ts";
import type { Principal } from "../../auth/principal.ts";
import { GatewayError } from "../../errors.ts";
import type { Audit } from "../../observability/audit.ts";
import { audited } from "../audited.ts";
import { type AuthorisedCall, type Call, enterRoute } from "../call.ts";
import type { CountCall } from "../intake.ts";
import { type AuthNeed, type ClientRoute, leastRole, type OpenRoute, type Route } from "../routes.ts";
import { refusedCredentials, sessionOf } from "../session-cookie.ts";
import { certificateOf } from "../tls/client-certificate.ts";
import { queryOf } from "../url.ts";
import { narrowToOrigin } from "./cors.ts";

const CLOSE = { Connection: "close" };

/**
 * Refuses requests that the gateway would understand only in part. Throws TRANSFER_ENCODING_UNSUPPORTED for a transfer coding
 * other than `chunked` (RFC 9112, 6.1), EXPECTATION_UNKNOWN for an `Expect` other than `100-continue` (RFC 9110, 10.1.1), and
 * REQUEST_MALFORMED for several Host headers (RFC 9112, 3.2) or for a transfer coding in HTTP/1.0, which has no codings.
 */
const requireUnderstood = ({ headers, rawHeaders, httpVersionMinor }: Request): void => {
  const coding = headers["transfer-encoding"];
  if (coding !== undefined) {
    if (coding.trim().toLowerCase() !== "chunked")
      throw new GatewayError("TRANSFER_ENCODING_UNSUPPORTED", { headers: CLOSE });
    if (httpVersionMinor === 0) throw new GatewayError("REQUEST_MALFORMED", { headers: CLOSE });
  }
  if (headers.expect !== undefined && headers.expect.trim().toLowerCase() !== "100-continue")
    throw new GatewayError("EXPECTATION_UNKNOWN", { headers: CLOSE });
  if (hasTwoHosts(rawHeaders)) throw new GatewayError("REQUEST_MALFORMED", { headers: CLOSE });
};

/** node keeps only the first Host header in `headers`. */
const hasTwoHosts = (rawHeaders: readonly string[]): boolean => {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    if (name.length === 4 && name.toLowerCase() === "host") hosts += 1;
  }
  return hosts > 1;
};

export interface Guard {
  readonly authenticate: Authenticate;
  readonly admitOperator: AdmitOperator;
  /** Counts each call before its handler runs; absent: calls are not counted. */
  readonly countCall?: CountCall | undefined;
  /** The URL of the operators' listener in browsers. Absent: unknown. */
  readonly publicUrl?: string | undefined;
  /** Absent: changes on the operators' listener are not audited. */
  readonly audit?: Audit | undefined;
}

/** The handler of the route, after the checks of the credential. */
export const guarded = (route: Route, guard: Guard): RequestHandler =>
  isClientRoute(route) ? forClients(route, guard) : forOthers(route, guard);

/** For unknown paths: a client without a credential does not learn that the path is unknown. */
export const guardOnly = async (call: Call, need: AuthNeed, guard: Guard): Promise<void> => {
  requireUnderstood(call.request);
  if (need === "admin") await admit(guard, call, false);
  else if (need !== "none") {
    call.principal = await identify(call, guard);
    guard.countCall?.(call);
  }
};

const isClientRoute = (route: Route): route is ClientRoute => route.auth === "client";

const forClients =
  (route: ClientRoute, guard: Guard): RequestHandler =>
  (request, response) => {
    const call = enterRoute(response, route);
    requireUnderstood(request);
    // A token that was verified before needs no promise, so the call goes on in the same turn of the event loop.
    const principal = identify(call, guard);
    return principal instanceof Promise
      ? principal.then((known) => route.handler(counted(authorised(call, known), guard)))
      : route.handler(counted(authorised(call, principal), guard));
  };

/**
 * The principal of a call. Throws RATE_LIMITED instead of UNAUTHORIZED above the rate of the address: a call with a wrong
 * credential counts too.
 */
export const identify = (
  call: Call,
  { authenticate, countCall }: Pick<Guard, "authenticate" | "countCall">,
  credentials = credentialsOf(call.request),
): Principal | Promise<Principal> => {
  try {
    const principal = authenticate(credentials);
    if (!(principal instanceof Promise)) return principal;
    return principal.catch((refusal: unknown) => countRefused(call, countCall, refusal));
  } catch (refusal) {
    return countRefused(call, countCall, refusal);
  }
};

const countRefused = (call: Call, countCall: CountCall | undefined, refusal: unknown): never => {
  countCall?.(call);
  throw refusal;
};

const counted = (call: AuthorisedCall, { countCall }: Guard): AuthorisedCall => {
  countCall?.(call);
  return call;
};

const forOthers =
  (route: OpenRoute, guard: Guard): RequestHandler =>
  (request, response) => {
    const call = enterRoute(response, route);
    requireUnderstood(request);
    if (route.auth === "none") return route.handler(call);
    return audited(call, route, guard.audit, async () => {
      const operator = await admit(guard, call, changes(route, request));
      requireRole(operator, leastRole(route));
      return route.handler(call);
    });
  };

/** Sets the operator of a call. */
const admit = async (guard: Guard, call: Call, changes: boolean): Promise<Operator> => {
  const { request } = call;
  const operator = await guard.admitOperator({
    authorizationHeader: request.headers.authorization,
    session: sessionOf(request),
    certificate: certificateOf(request.socket),
    address: request.ip ?? "",
    refused: refusedCredentials(request, changes, guard.publicUrl),
  });
  call.operator = operator;
  call.isKnown = true;
  return operator;
};

const READING: readonly string[] = ["GET", "HEAD"];

const changes = (route: OpenRoute, { method }: Request): boolean =>
  route.changes ?? !READING.includes(method);

/** Sets the principal of a call. Throws ORIGIN_FORBIDDEN. */
export const authorised = (call: Call, principal: Principal): AuthorisedCall => {
  call.principal = principal;
  call.isKnown = principal.isPublic !== true;
  const { origin } = call.request.headers;
  requireOrigin(principal, origin);
  if (origin !== undefined && principal.origins.length > 0) narrowToOrigin(call.response, origin);
  return call as AuthorisedCall;
};

/** The credentials in the request's headers and query, and the certificate of its connection. */
export const credentialsOf = (request: Request): Credentials => new RequestCredentials(request);

/**
 * Express computes `request.ip` at each access, so `address` is a getter. It is one of a class, because V8 makes a hidden class for
 * each object literal with a getter: that takes 3 µs, and keeps the request in memory until the next major collection.
 */
class RequestCredentials implements Credentials {
  readonly authorizationHeader: string | undefined;
  readonly queryToken: string | undefined;
  readonly apiKeyHeader: string | undefined;
  readonly certificate: ClientCertificate | undefined;
  readonly #request: Request;

  constructor(request: Request) {
    const { headers } = request;
    const apiKeyHeader = headers["x-api-key"];
    this.authorizationHeader = headers.authorization;
    this.queryToken = queryOf(request).get("authorization") ?? undefined;
    this.apiKeyHeader = typeof apiKeyHeader === "string" ? apiKeyHeader : undefined;
    this.certificate = certificateOf(request.socket);
    this.#request = request;
  }

  get address(): string {
    return this.#request.ip ?? "";
  }
}
