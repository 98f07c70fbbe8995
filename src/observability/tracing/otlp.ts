/**
 * Creates OpenTelemetry spans and sends them to a collector in OTLP over HTTP. Imported only if a collector is
 * configured, because loading this file takes a quarter of a second and 18 MB.
 */
import {
  createTraceState,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from "@opentelemetry/api";
import type { Context, Span as OpenTelemetrySpan } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import type { Span, SpanEnd, TraceContext, Tracing } from "./tracing.ts";

export interface OtlpOptions {
  /** Base URL of the collector; `/v1/traces` is added. */
  readonly endpoint: string;
  readonly version: string;
}

const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT } as const;

/**
 * OpenTelemetry's environment variables set sampling, headers and names (`OTEL_TRACES_SAMPLER`, `OTEL_SERVICE_NAME`,
 * …).
 */
export const createOtlpTracing = ({ endpoint, version }: OtlpOptions): Tracing => {
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, "")}/v1/traces` });
  const resource = resourceFromAttributes({ "service.name": "stationgate", "service.version": version });
  const provider = new BasicTracerProvider({
    resource: resource.merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  const tracer = provider.getTracer("stationgate", version);
  return {
    begin: (name, kind, parent) => spanOf(tracer.startSpan(name, { kind: KINDS[kind] }, contextOf(parent))),
    close: () => provider.shutdown().catch(() => undefined),
  };
};

const contextOf = (parent: TraceContext | undefined): Context => {
  if (parent === undefined) return ROOT_CONTEXT;
  const [, traceId = "", spanId = "", flags = "00"] = parent.traceparent.split("-");
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED,
    isRemote: true,
    ...(parent.tracestate !== undefined && { traceState: createTraceState(parent.tracestate) }),
  });
};

const spanOf = (span: OpenTelemetrySpan): Span => {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext();
  const flags = traceFlags.toString(16).padStart(2, "0");
  return {
    context: { traceparent: `00-${traceId}-${spanId}-${flags}`, tracestate: traceState?.serialize() },
    end: ({ name, attributes, failure }: SpanEnd) => {
      if (name !== undefined) span.updateName(name);
      for (const [key, value] of Object.entries(attributes))
        if (value !== undefined) span.setAttribute(key, value);
      if (failure !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failure });
      span.end();
    },
  };
};
