/** The error answers of a route in the OpenAPI document, in the shape of its API family. */
import { z } from "zod";
import { GatewayError, type ErrorCode } from "../../errors.ts";
import type { Answer, Content, Documentation } from "../documentation.ts";
import { errorStatus } from "../families.ts";
import { leastRole, type Route } from "../routes.ts";
import type { ErrorFamily } from "../row.ts";
import { ERROR_MEANINGS } from "./error-meanings.ts";

const authError = z
  .object({
    message: z
      .union([z.string(), z.array(z.object({ field: z.string(), reason: z.string() }))])
      .meta({ description: "The reason, or the missing fields." }),
  })
  .meta({ id: "AuthError" });

const eventResult = z
  .union([
    z.object({
      status: z.literal("stored"),
      partition: z.int(),
      offset: z.string().regex(/^\d+$/),
      timestamp: z.int(),
    }),
    z
      .object({ status: z.literal("spooled"), partition: z.null(), offset: z.null() })
      .meta({ description: "The event is on the gateway's disk and goes to Kafka later." }),
    z
      .object({ status: z.literal("duplicate"), partition: z.int(), offset: z.string().regex(/^\d+$/) })
      .meta({ description: "An earlier request with the same id stored the event." }),
    z.object({ status: z.enum(["refused", "unavailable", "unknown"]), error: z.string() }),
  ])
  .meta({
    id: "EventResult",
    description: "The outcome of one event. Results are in the order of the events.",
  });

/** Members that `Prefer: return=representation` adds. */
export const representation = {
  sent: z.int().optional(),
  fail: z.int().optional(),
  results: z.array(eventResult).optional(),
};

const stationError = z
  .object({ error: z.string(), success: z.literal(false), ...representation })
  .meta({ id: "StationError" });

export const restProxyError = z
  .object({
    error_code: z.int().meta({ description: "Starts with the HTTP status: 40403 has status 404." }),
    message: z.string(),
    retriable: z.boolean().meta({ description: "True if the client may send the same record again." }),
    ambiguous: z
      .literal(true)
      .optional()
      .meta({ description: "Present if it is unknown whether the record is stored." }),
    retry_after_ms: z.int().optional(),
  })
  .meta({ id: "RestProxyError" });

const connectError = z.object({ error_code: z.int(), message: z.string() }).meta({ id: "ConnectError" });

const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().meta({ description: "The error code, as in `docs/errors.md`." }),
    faults: z
      .array(z.string())
      .optional()
      .meta({ description: "For a refused reload: one line for each fault of the settings." }),
    requestId: z.string(),
  })
  .meta({ id: "Problem", description: "A problem document (RFC 9457)." });

const PROBLEM: Content = { "application/problem+json": problem };

const CONTENT: Readonly<Record<ErrorFamily, Content>> = {
  auth: { "application/json": authError },
  stations: { "application/json": stationError },
  "rest-proxy": { "application/json": restProxyError },
  connect: { "application/json": connectError },
  problem: PROBLEM,
};

/** A failed authentication on a station route has the error body of the sign-in routes. */
const contentOf = (family: ErrorFamily, code: ErrorCode): Content =>
  family === "stations" && code === "UNAUTHORIZED" ? CONTENT.auth : CONTENT[family];

const OF_BODIES = [
  "BODY_TOO_LARGE",
  "BODY_INCOMPLETE",
  "REQUEST_TIMEOUT",
  "ENCODING_BROKEN",
  "ENCODING_UNSUPPORTED",
] as const satisfies readonly ErrorCode[];

/** The failures of the credentials, of reading the body, and of the route itself. */
const codesOf = (route: Route, { body, errors }: Documentation): readonly ErrorCode[] => {
  const { auth } = route;
  const ofRoles: readonly ErrorCode[] =
    auth === "admin" && leastRole(route) !== "viewer" ? ["ROLE_FORBIDDEN"] : [];
  const ofOperators: readonly ErrorCode[] =
    auth === "admin" ? [...ofRoles, "LOGIN_THROTTLED", "OVERLOADED"] : [];
  const ofCallers: readonly ErrorCode[] = auth === "none" ? [] : ["UNAUTHORIZED", ...ofOperators];
  const ofClients: readonly ErrorCode[] =
    auth === "client" ? ["KEYS_UNAVAILABLE", "ORIGIN_FORBIDDEN", "RATE_LIMITED"] : [];
  return [...new Set([...ofCallers, ...ofClients, ...(body === undefined ? [] : OF_BODIES), ...errors])];
};

const RETRY_AFTER = { "Retry-After": "Seconds to wait before the next attempt." };

const HEADERS: Readonly<Partial<Record<number, Readonly<Record<string, string>>>>> = {
  401: { "WWW-Authenticate": "The expected authentication scheme." },
  429: RETRY_AFTER,
};

interface StatusAnswer extends Answer {
  readonly status: number;
}

/** Failures before a route is known: a request that is not HTTP has no family. */
const BEFORE_ROUTING: readonly ErrorCode[] = ["REQUEST_MALFORMED", "HEADERS_TOO_LARGE"];

const answerFor = (code: ErrorCode, family: ErrorFamily, content: Content): StatusAnswer => {
  const error = new GatewayError(code);
  const status = errorStatus(error, family);
  const headers = HEADERS[status] ?? (error.retryAfter === undefined ? undefined : RETRY_AFTER);
  return {
    status,
    description: `\`${code}\`: ${ERROR_MEANINGS[code]}`,
    content,
    ...(headers && { headers }),
  };
};

/** One answer for each error code. */
export const errorAnswers = (route: Route, documentation: Documentation): readonly StatusAnswer[] => [
  ...codesOf(route, documentation).map((code) =>
    answerFor(code, route.family, contentOf(route.family, code)),
  ),
  ...BEFORE_ROUTING.map((code) => answerFor(code, "problem", PROBLEM)),
];
