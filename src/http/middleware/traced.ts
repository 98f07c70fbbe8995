/** Makes a span for each request; its events name the span as their parent. */
import type { Request, RequestHandler } from "express";
import { traceContext, type TraceContext, type Tracing } from "../../observability/tracing/tracing.ts";
import { callOf, type Call } from "../call.ts";

/** It must run after the middleware that creates the call, and before any code that reads the request's headers. */
export const traced =
  (tracing: Tracing): RequestHandler =>
  (request, response, next) => {
    const { traceparent, tracestate } = request.headers;
    const span = tracing.begin(
      request.method,
      "server",
      traceContext(single(traceparent), single(tracestate)),
    );
    continueIn(request, span.context);
    response.once("close", () => {
      const call = callOf(response);
      // Probes and scrapes would hide all other spans.
      if (!call.quiet) span.end(endOf(call));
    });
    next();
  };

const single = (header: string | string[] | undefined): string | undefined =>
  typeof header === "string" ? header : undefined;

const OURS = new Set(["traceparent", "tracestate"]);

/** Replaces the trace headers of the request with those of the gateway's span, because records get copies of the headers. */
const continueIn = ({ rawHeaders }: Request, { traceparent, tracestate }: TraceContext): void => {
  const others = rawHeaders.filter((_, i) => !OURS.has((rawHeaders[i - (i % 2)] ?? "").toLowerCase()));
  rawHeaders.splice(0, rawHeaders.length, ...others, "traceparent", traceparent);
  if (tracestate !== undefined) rawHeaders.push("tracestate", tracestate);
};

/** Attributes of OpenTelemetry's semantic conventions for HTTP. */
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
