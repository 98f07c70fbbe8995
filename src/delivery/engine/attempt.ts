/**
 * One attempt: render the request, send it, classify the answer, ask the strategy for the next step, report. The request
 * continues the trace of the record. With tracing, each attempt is a span.
 */
import type { ConsumedRecord } from "../../broker/broker.ts";
import { asGatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { retryAfterMs } from "../../lib/units.ts";
import { cut } from "../../lib/text.ts";
import {
  type Span,
  traceContext,
  type TraceContext,
  type Tracing,
} from "../../observability/tracing/tracing.ts";
import type { Item } from "./claims.ts";
import type { DeliveryPlan, DeliveryRequest, HttpResult, PreparedRecord } from "./delivery-plan.ts";
import type { HttpClient } from "./http-client/http-client.ts";
import type { AttemptOutcome, DeliveryObserver } from "./observer.ts";

const originOf = ({ headers }: ConsumedRecord): TraceContext | undefined => {
  let traceparent: string | undefined;
  let tracestate: string | undefined;
  for (const { name, value } of headers) {
    if (name === "traceparent") traceparent = value?.toString("latin1");
    else if (name === "tracestate") tracestate = value?.toString("latin1");
  }
  return traceContext(traceparent, tracestate);
};

const withContext = (request: DeliveryRequest, context: TraceContext | undefined): DeliveryRequest => {
  if (context === undefined) return request;
  const headers = request.headers.concat("traceparent", context.traceparent);
  return {
    ...request,
    headers: context.tracestate === undefined ? headers : headers.concat("tracestate", context.tracestate),
  };
};

interface AttemptTrace {
  /** Adds the trace context headers to the request. */
  mark(request: DeliveryRequest): DeliveryRequest;
  end(result: HttpResult): void;
}

/** Begins the span of one attempt. */
export const traceAttempt = (connector: string, item: Item, tracing: Tracing | undefined): AttemptTrace => {
  const { record, attempts } = item;
  const origin = originOf(record);
  const span: Span | undefined = tracing?.begin(`deliver ${connector}`, "client", origin);
  return {
    mark: (request) => withContext(request, span?.context ?? origin),
    end: (result) => {
      span?.end({
        attributes: {
          "stationgate.connector": connector,
          "stationgate.attempt": attempts,
          "messaging.system": "kafka",
          "messaging.destination.name": record.topic,
          "messaging.destination.partition.id": String(record.partition),
          "messaging.kafka.offset": record.offset.toString(),
          "http.response.status_code": "status" in result ? result.status : undefined,
        },
        failure: "error" in result ? result.error : undefined,
      });
    },
  };
};

type Next =
  | { readonly action: "finish" }
  | { readonly action: "wait"; readonly ms: number }
  | { readonly action: "drop" }
  | { readonly action: "stop"; readonly trace: string };

export interface AttemptOptions {
  readonly plan: DeliveryPlan;
  readonly client: HttpClient;
  readonly clock: Clock;
  readonly observer: DeliveryObserver;
  /** Returns a number from 0 (inclusive) to 1 (exclusive). */
  readonly random: () => number;
  /** Absent: no spans. The trace context of the record is still sent. */
  readonly tracing?: Tracing | undefined;
}

const OUTCOMES: Readonly<Record<Next["action"], AttemptOutcome>> = {
  finish: "delivered",
  wait: "retry",
  drop: "dropped",
  stop: "stopped",
};

const traceOf = ({ record, attempts, lastStatus, lastError }: Item): string => {
  const { topic, partition, offset } = record;
  const failure = lastError ?? `HTTP status ${String(lastStatus)}`;
  return `Delivery stopped at ${topic}-${partition}@${offset} after attempt ${attempts}: ${failure}`;
};

/** Sends the item's record once, as it is stored or as it was prepared, and sets its `attempts`, `retry`, `lastStatus` and `lastError`. */
export const createAttempt = ({ plan, client, clock, observer, random, tracing }: AttemptOptions) => {
  const { endpoint, strategy } = plan;

  const waitMs = (ms: number, result: HttpResult): number => {
    const jittered = ms * (1 + plan.jitter * random());
    if (plan.maxRetryAfterMs === 0 || !("status" in result)) return jittered;
    return Math.max(jittered, Math.min(retryAfterMs(result.retryAfter, clock.now()), plan.maxRetryAfterMs));
  };

  const decide = (item: Item, result: HttpResult): Next => {
    // A refused address stops the task whatever the strategy: otherwise the strategy would drop all records.
    if ("kind" in result && result.kind === "forbidden") return { action: "stop", trace: traceOf(item) };
    const answer = endpoint.classify(result);
    if (answer === "done") return { action: "finish" };
    const verdict = strategy.after(item.retry, answer);
    if (verdict.action === "drop") return { action: "drop" };
    if (verdict.action === "stop") return { action: "stop", trace: traceOf(item) };
    item.retry = verdict.state;
    return { action: "wait", ms: waitMs(verdict.ms, result) };
  };

  // An exception of the endpoint is a failed attempt. It must not end the task.
  const send = async (record: PreparedRecord, now: number, trace: AttemptTrace): Promise<HttpResult> => {
    try {
      return await client.send(trace.mark(endpoint.render(record, now)));
    } catch (error) {
      return { kind: "lost", error: asGatewayError(error).message };
    }
  };

  const exchange = async (item: Item, record: PreparedRecord, now: number): Promise<HttpResult> => {
    const trace = traceAttempt(plan.name, item, tracing);
    const result = await send(record, now, trace);
    trace.end(result);
    return result;
  };

  return async (item: Item, record: PreparedRecord = item.record): Promise<Next> => {
    const { topic, partition, offset } = item.record;
    const startedAt = clock.now();
    item.attempts += 1;
    const result = await exchange(item, record, startedAt);
    item.lastStatus = "status" in result ? result.status : undefined;
    item.lastError = "error" in result ? cut(result.error) : undefined;
    const next = decide(item, result);
    observer.attempted({
      connector: plan.name,
      topic,
      partition,
      offset,
      attempt: item.attempts,
      outcome: OUTCOMES[next.action],
      status: item.lastStatus,
      error: item.lastError,
      durationMs: clock.now() - startedAt,
      retryInMs: next.action === "wait" ? next.ms : undefined,
    });
    return next;
  };
};
