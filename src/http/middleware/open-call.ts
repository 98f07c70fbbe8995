/** The first middleware: opens the call, names it, and sees to it that its end is written down. */
import { randomUUID } from "node:crypto";
import type { Request, RequestHandler } from "express";
import type { GatewayError } from "../../errors.ts";
import type { Logger } from "../../observability/logger/logger.ts";
import type { RequestLevel, RequestLog } from "../../observability/logger/request-lines.ts";
import type { Metrics } from "../../observability/metrics.ts";
import { type Call, openCall } from "../call.ts";
import { pathOf } from "../url.ts";

/** A name for each request: the client's own where it is harmless, for tracing across services, else a new one. */

const HARMLESS = /^[\w.-]{1,128}$/;

const requestIdOf = (request: Request): string => {
  const given = request.headers["x-request-id"];
  return typeof given === "string" && HARMLESS.test(given) ? given : randomUUID();
};

interface CallObservers {
  readonly logger: Logger;
  readonly requestLog: RequestLog;
  readonly metrics: Pick<Metrics, "requestObserved">;
}

/** Status in logs and metrics of a call whose client left before its answer was sent; nginx's number for it. */
const CLIENT_GONE = 499;

export const callOpener =
  (observers: CallObservers): RequestHandler =>
  (request, response, next) => {
    const call = openCall(request, response, requestIdOf(request));
    response.setHeader("X-Request-Id", call.id);
    response.once("close", () => {
      call.heldIn?.give(call.heldBytes);
      writeDown(call, observers);
    });
    request.url = withoutBrokenPercents(request.url);
    next();
  };

/**
 * A `%` that encodes nothing stands for itself from here on. Express would end such a request before it is known
 * whose it is; so it is judged like any other name that holds a percent sign.
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

const writeDown = (call: Call, { logger, requestLog, metrics }: CallObservers): void => {
  const { method } = call.request;
  const status = isWhole(call) ? call.response.statusCode : CLIENT_GONE;
  const ms = performance.now() - call.startedAt;
  metrics.requestObserved({ route: call.route ?? "unknown", method, status, seconds: ms / 1000 });
  const line = {
    requestId: call.id,
    method,
    route: call.route ?? pathForLog(call),
    status,
    ms: Math.round(ms * 100) / 100,
    principal: call.principal?.name,
    ...call.facts,
    code: call.failure?.code,
    reason: untoldReason(call),
  };
  const level = severity(call, status);
  const err = untoldError(call);
  if (err === undefined) requestLog(level, line);
  else logger[level]({ ...line, err }, "request");
};

/** node calls an answer finished that was reset in its middle too. */
const isWhole = ({ request, response }: Call): boolean =>
  response.writableFinished && request.socket.errored === null;

/** What the client isn't told, in a fixed phrase: what was wrong with a credential. */
const untoldReason = ({ failure }: Call): string | undefined =>
  typeof failure?.cause === "string" ? failure.cause : undefined;

/** Why the broker failed. Of refusals nothing: a parser's complaint quotes what it choked on, be it a password. */
const untoldError = ({ failure }: Call): GatewayError | undefined => {
  if (failure?.cause === undefined || typeof failure.cause === "string") return undefined;
  return failure.outcome === "refused" ? undefined : failure;
};

const severity = (call: Call, status: number): RequestLevel => {
  if (call.failure?.code === "INTERNAL") return "error";
  if (status >= 500) return "warn";
  return call.quiet ? "debug" : "info";
};

const LONGEST_PATH = 200;

/** Never the query: it may hold a token. */
const pathForLog = ({ request }: Call): string => pathOf(request.url).slice(0, LONGEST_PATH);
