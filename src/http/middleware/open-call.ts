/** The first middleware: creates the call with its request id, and logs and counts the call at its end. */
import type { Request, RequestHandler } from "express";
import type { GatewayError } from "../../errors.ts";
import type { Logger } from "../../observability/logger/logger.ts";
import type { RequestLevel, RequestLog } from "../../observability/logger/request-lines.ts";
import type { Metrics } from "../../observability/metrics.ts";
import { type Call, openCall } from "../call.ts";
import { createRequestIds } from "../request-ids.ts";
import { pathOf } from "../url.ts";

/** Request ids of clients that are safe in headers and logs. */
const HARMLESS = /^[\w.-]{1,128}$/;

const nextId = createRequestIds();

/** The client's `X-Request-Id`, so that a call can be traced across services; a new id if it is absent or unsafe. */
const requestIdOf = (request: Request): string => {
  const given = request.headers["x-request-id"];
  return typeof given === "string" && HARMLESS.test(given) ? given : nextId();
};

/** Only requests with an error and slow requests get a log line. */
export interface OnlyErrors {
  /** A request that took this time or longer is slow. */
  readonly slowMs: number;
  /** True: every request gets a line. */
  readonly isDebug: () => boolean;
}

interface CallObservers {
  readonly logger: Logger;
  /** Absent: every request gets a log line. */
  readonly onlyErrors?: OnlyErrors | undefined;
  readonly requestLog: RequestLog;
  readonly metrics: Pick<Metrics, "requestObserved">;
}

/** Status in logs and metrics if the client left before the answer was sent, as in nginx. */
const CLIENT_GONE = 499;

export const callOpener =
  (observers: CallObservers): RequestHandler =>
  (request, response, next) => {
    const call = openCall(request, response, requestIdOf(request));
    response.once("close", () => {
      call.heldIn?.give(call.heldBytes);
      observeEnd(call, observers);
    });
    request.url = withoutBrokenPercents(request.url);
    next();
  };

/**
 * Encodes a `%` that begins no percent-encoding as `%25`. Express would refuse such a request before the credential is
 * checked; this way the name is checked like any other name with a percent sign.
 */
const withoutBrokenPercents = (url: string): string => {
  if (!url.includes("%")) return url;
  const path = pathOf(url);
  try {
    decodeURIComponent(path);
    return url;
  } catch {
    return path.replaceAll("%", "%25") + url.slice(path.length);
  }
};

const observeEnd = (call: Call, { logger, requestLog, metrics, onlyErrors }: CallObservers): void => {
  const { method } = call.request;
  const status = isWhole(call) ? call.response.statusCode : CLIENT_GONE;
  const ms = performance.now() - call.startedAt;
  metrics.requestObserved({ route: call.route ?? "unknown", method, status, seconds: ms / 1000 });
  if (onlyErrors !== undefined && !needsLine(call, status, ms, onlyErrors)) return;
  const line = {
    requestId: call.id,
    method,
    route: call.route ?? pathForLog(call),
    status,
    ms: Math.round(ms * 100) / 100,
    principal: call.principal?.name ?? call.operator?.name,
    ...call.facts,
    code: call.failure?.code,
    reason: reasonForLog(call),
  };
  const level = severity(call, status);
  const err = errorForLog(call);
  if (err === undefined) requestLog(level, line);
  else logger[level]({ ...line, err }, "request");
};

/** True if the whole answer was sent. node emits `finish` even if the connection was reset during the answer. */
const isWhole = ({ request, response }: Call): boolean =>
  response.writableFinished && request.socket.errored === null;

const needsLine = (call: Call, status: number, ms: number, { slowMs, isDebug }: OnlyErrors): boolean =>
  hasFailed(call, status) || ms >= slowMs || isDebug();

/** True also if the status is a success but an event of the call was not stored, or its stream ended with an error. */
const hasFailed = ({ failure, facts }: Call, status: number): boolean =>
  status >= 400 || failure !== undefined || facts.refused !== undefined || facts.unstored !== undefined;

/** The reason why a credential was refused, in fixed words. The client does not get it. */
const reasonForLog = ({ failure }: Call): string | undefined =>
  typeof failure?.cause === "string" ? failure.cause : undefined;

/**
 * The cause of a failure of the broker, or of another server that the gateway asks. Causes of other refusals are not logged: a
 * parser's error quotes its input, which may be secret.
 */
const errorForLog = ({ failure }: Call): GatewayError | undefined => {
  if (failure?.cause === undefined || typeof failure.cause === "string") return undefined;
  return failure.outcome === "refused" && failure.status !== 503 ? undefined : failure;
};

const severity = (call: Call, status: number): RequestLevel => {
  if (call.failure?.code === "INTERNAL") return "error";
  if (status >= 500) return "warn";
  return call.quiet ? "debug" : "info";
};

const LONGEST_PATH = 200;

/** The path without the query, which may contain a token. */
const pathForLog = ({ request }: Call): string => pathOf(request.url).slice(0, LONGEST_PATH);
