/** Each request a span, which its events name as their origin. */
import type { Request, RequestHandler } from "express";
import { traceContext, type TraceContext, type Tracing } from "../../observability/tracing/tracing.ts";
import { callOf, type Call } from "../call.ts";

/** To stand behind the opening of the call, and before anything reads the request's headers. */
export const traced =
  (tracing: Tracing): RequestHandler =>
  (request, response, next) => {
    const { traceparent, tracestate } = request.headers;
    const span = tracing.begin(request.method, "server", traceContext(one(traceparent), one(tracestate)));
    continueIn(request, span.context);
    response.once("close", () => {
      const call = callOf(response);
      // Probes and scrapes would be all that one sees.
      if (!call.quiet) span.end(endOf(call));
    });
    next();
  };

const one = (header: string | string[] | undefined): string | undefined =>
  typeof header === "string" ? header : undefined;

const OURS = new Set(["traceparent", "tracestate"]);

/** Record headers are made of the request's own: from here on those name our span and not the caller's. */
const continueIn = ({ rawHeaders }: Request, { traceparent, tracestate }: TraceContext): void => {
  const others = rawHeaders.filter((_, i) => !OURS.has((rawHeaders[i - (i % 2)] ?? "").toLowerCase()));
  rawHeaders.splice(0, rawHeaders.length, ...others, "traceparent", traceparent);
  if (tracestate !== undefined) rawHeaders.push("tracestate", tracestate);
};

/** Names as in OpenTelemetry's semantic conventions for HTTP. */
const endOf = ({ id, request, response, route, facts, failure }: Call) => ({
  name: route === undefined ? request.method : `${request.method} ${route}`,
  attributes: {
    "http.request.method": request.method,
    "http.route": route,
    "http.response.status_code": response.statusCode,
    "stationgate.request_id": id,
    "stationgate.station": facts.station,
    "stationgate.stored": facts.stored,
    "error.type": failure?.code,
  },
  failure: response.statusCode >= 500 ? (failure?.code ?? "INTERNAL") : undefined,
});
