/**
 * Traces across services, in the terms of W3C Trace Context. Without a collector the gateway starts no spans and passes
 * the client's trace context on unchanged.
 */

/** The trace context of a span: the values of the headers with these names. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate: string | undefined;
}

export type SpanAttributes = Readonly<Record<string, string | number | undefined>>;

export interface SpanEnd {
  /** Default: the name given to `begin`. */
  readonly name?: string;
  readonly attributes: SpanAttributes;
  /** The error message; absent: success. */
  readonly failure?: string | undefined;
}

export interface Span {
  /** The context to send to services that are called within the span. */
  readonly context: TraceContext;
  /** Ends the span. A span that isn't ended is never sent. */
  end(how: SpanEnd): void;
}

/** `server`: a received request. `client`: a request that the gateway sends. */
export type SpanKind = "server" | "client";

export interface Tracing {
  /** Starts a span as a child of `parent`, or as the first span of a trace. */
  begin(name: string, kind: SpanKind, parent: TraceContext | undefined): Span;
  /** Sends the ended spans. Resolves even if the collector is unavailable. */
  close(): Promise<void>;
}

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The characters that a header can hold. Another `tracestate` is dropped, and its trace continues without it. */
const TRACESTATE = /^[\t\x20-\x7e]*$/;

/** undefined: `traceparent` is missing or invalid; `tracestate` is then ignored. */
export const traceContext = (
  traceparent: string | undefined,
  tracestate: string | undefined,
): TraceContext | undefined => {
  if (traceparent === undefined || !TRACEPARENT.test(traceparent)) return undefined;
  return { traceparent, tracestate: TRACESTATE.test(tracestate ?? "") ? tracestate : undefined };
};
