/** Error bodies: each API family answers in its own clients' language. */
import { STATUS_CODES } from "node:http";
import type { GatewayError } from "../errors.ts";
import type { Call } from "./call.ts";
import { restProxyError, restProxyStatus } from "./rest-proxy-error.ts";
import { eventResult } from "./results.ts";
import type { ErrorFamily } from "./row.ts";

interface ErrorBody {
  readonly contentType: string;
  readonly body: unknown;
}

interface ErrorAnswer extends ErrorBody {
  readonly status: number;
}

/** The status of a failure's answer: the REST Proxy's codes bring their own. */
export const errorStatus = (error: GatewayError, family: ErrorFamily): number =>
  family === "rest-proxy" ? restProxyStatus(error) : error.status;

/** The answer for a failure, in the words of the call's family. */
export const errorAnswer = (error: GatewayError, call: Call): ErrorAnswer => ({
  status: errorStatus(error, call.family),
  ...FAMILIES[call.family](error, call),
});

const json = (body: unknown): ErrorBody => ({ contentType: "application/json", body });

const auth = (error: GatewayError): ErrorBody =>
  json({
    message: error.code === "USERNAME_REQUIRED" ? [{ field: "Username", reason: "required" }] : error.message,
  });

/** `/stations`: as the Memphis gateway has it, whose failed authentications look alike on every route. */
const stations = (error: GatewayError, call: Call): ErrorBody => {
  if (error.code === "UNAUTHORIZED") return auth(error);
  const body = { error: error.message, success: false };
  if (!call.representation) return json(body);
  return json({ ...body, sent: 0, fail: 1, results: [eventResult({ status: "failed", error })] });
};

const restProxy = (error: GatewayError): ErrorBody => json(restProxyError(error));

const connect = (error: GatewayError): ErrorBody =>
  json({ error_code: error.status, message: error.message });

/** RFC 9457. The type says no more than the status does; `code` names the row of the table of errors. */
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
  requestId,
});

const FAMILIES = { auth, stations, "rest-proxy": restProxy, connect, problem } as const satisfies Record<
  ErrorFamily,
  (error: GatewayError, call: Call) => ErrorBody
>;
