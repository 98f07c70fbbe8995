/**
 * Traces across services, in the words of W3C Trace Context. Without a collector nothing is begun here, and what a
 * client sent travels on as it came.
 */

/** Where a span stands: the values of the headers of the same names. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate: string | undefined;
}

export type SpanAttributes = Readonly<Record<string, string | number | undefined>>;

export interface SpanEnd {
  /** Default: as it began. */
  readonly name?: string;
  readonly attributes: SpanAttributes;
  /** What failed; absent: nothing did. */
  readonly failure?: string | undefined;
}

export interface Span {
  /** For those who are called from within it. */
  readonly context: TraceContext;
  /** Without it the span is never told of. */
  end(how: SpanEnd): void;
}

/** `server`: a request that came. `client`: one that we make. */
export type SpanKind = "server" | "client";

export interface Tracing {
  /** A child of `parent`, or the first of a trace. */
  begin(name: string, kind: SpanKind, parent: TraceContext | undefined): Span;
  /** Sends what has gathered. Resolves also when the collector is away. */
  close(): Promise<void>;
}

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** What a `tracestate` may consist of; a state that no header can hold is dropped, and its trace goes on. */
const TRACESTATE = /^[\t\x20-\x7e]*$/;

/** undefined: there is none, or none that is valid; then its state means nothing either. */
export const traceContext = (
  traceparent: string | undefined,
  tracestate: string | undefined,
): TraceContext | undefined => {
  if (traceparent === undefined || !TRACEPARENT.test(traceparent)) return undefined;
  return { traceparent, tracestate: TRACESTATE.test(tracestate ?? "") ? tracestate : undefined };
};
