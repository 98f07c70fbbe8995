/** Error bodies: each API family has the shape that its clients know. */
import { STATUS_CODES } from "node:http";
import { ERRORS, GatewayError } from "../errors.ts";
import type { Call } from "./call.ts";
import { eventResult } from "./results.ts";
import type { ErrorFamily } from "./row.ts";

/** The error body of Confluent's REST Proxy. Stationgate adds `retriable`, `ambiguous` and `retry_after_ms`. */
interface RestProxyError {
  readonly error_code: number;
  readonly message: string;
  /** The client can send the same record again. */
  readonly retriable: boolean;
  /** It is unknown whether the record is stored. */
  readonly ambiguous?: true;
  readonly retry_after_ms?: number;
}

export const restProxyError = (error: GatewayError, message = error.message): RestProxyError => ({
  error_code: ERRORS[error.code].restProxy,
  message,
  retriable: error.outcome !== "refused",
  ...(error.outcome === "unknown" ? { ambiguous: true } : undefined),
  ...(error.code === "RATE_LIMITED" ? { retry_after_ms: retryAfterMs(error) } : undefined),
});

/**
 * The error of one record in an answer with many records. An unresolved id has the code of an append without an
 * acknowledgement, because clients of a REST Proxy send such a record again.
 */
export const recordError = (error: GatewayError, message: string): RestProxyError =>
  restProxyError(error.code === "ID_UNRESOLVED" ? new GatewayError("BROKER_AMBIGUOUS") : error, message);

export const retryAfterMs = ({ retryAfter = 0 }: GatewayError): number => Math.ceil(retryAfter * 1000);

/** The first three digits of the error code, except for 50003, which has status 503, and for 40001, which has 422. */
const restProxyStatus = ({ code, status }: GatewayError): number => {
  const { restProxy } = ERRORS[code];
  if (status >= 500 || code === "FETCH_MIN_BYTES_INVALID") return status;
  return restProxy < 1000 ? restProxy : Math.trunc(restProxy / 100);
};

interface ErrorBody {
  readonly contentType: string;
  readonly body: unknown;
}

interface ErrorAnswer extends ErrorBody {
  readonly status: number;
}

/** The HTTP status of an error. In the REST Proxy family it follows from the error code. */
export const errorStatus = (error: GatewayError, family: ErrorFamily): number =>
  family === "rest-proxy" ? restProxyStatus(error) : error.status;

/** The answer for an error, in the shape of the call's family. */
export const errorAnswer = (error: GatewayError, call: Call): ErrorAnswer => ({
  status: errorStatus(error, call.family),
  ...FAMILIES[call.family](error, call),
});

const json = (body: unknown): ErrorBody => ({ contentType: "application/json", body });

const auth = (error: GatewayError): ErrorBody =>
  json({
    message: error.code === "USERNAME_REQUIRED" ? [{ field: "Username", reason: "required" }] : error.message,
  });

/** `/stations`: the Memphis gateway's shape. Every failed authentication has the same body. */
const stations = (error: GatewayError, call: Call): ErrorBody => {
  if (error.code === "UNAUTHORIZED") return auth(error);
  const body = { error: error.message, success: false };
  if (!call.representation) return json(body);
  return json({ ...body, sent: 0, fail: 1, results: [eventResult({ status: "failed", error })] });
};

const restProxy = (error: GatewayError): ErrorBody => json(restProxyError(error));

const connect = (error: GatewayError): ErrorBody =>
  json({ error_code: error.status, message: error.message });

/** RFC 9457. The type adds nothing to the status; `code` is the row in the table of errors. */
const problem = (error: GatewayError, call: Call): ErrorBody => ({
  contentType: "application/problem+json",
  body: problemDocument(error, call.id),
});

/** A problem document (RFC 9457) for an answer that has no family. */
export const problemDocument = (error: GatewayError, requestId: string): Record<string, unknown> => ({
  type: "about:blank",
  title: STATUS_CODES[error.status] ?? "Error",
  status: error.status,
  detail: error.message,
  code: error.code,
  ...(error.faults === undefined ? undefined : { faults: error.faults }),
  requestId,
});

const FAMILIES = { auth, stations, "rest-proxy": restProxy, connect, problem } as const satisfies Record<
  ErrorFamily,
  (error: GatewayError, call: Call) => ErrorBody
>;
