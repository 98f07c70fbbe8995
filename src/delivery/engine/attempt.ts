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
import { firstRecord, isBatch, positionOf, type Unit } from "./batches/batch.ts";
import type {
  DeliveryEnd,
  DeliveryPlan,
  DeliveryRequest,
  HttpResult,
  PreparedRecord,
} from "./delivery-plan.ts";
import type { HttpClient } from "./http-client/http-client.ts";
import type { AttemptOutcome, DeliveryObserver } from "./observer.ts";
import type { Verdict } from "./strategy.ts";

/** The trace of the record. A batch of several records continues none of their traces. */
const originOf = (unit: Unit): TraceContext | undefined =>
  isBatch(unit) && unit.members.length > 1 ? undefined : contextOf(firstRecord(unit));

const contextOf = ({ headers }: ConsumedRecord): TraceContext | undefined => {
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
export const traceAttempt = (connector: string, unit: Unit, tracing: Tracing | undefined): AttemptTrace => {
  const { attempts } = unit;
  const record = firstRecord(unit);
  const origin = originOf(unit);
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
          "messaging.batch.message_count": isBatch(unit) ? unit.members.length : undefined,
          "http.response.status_code": "status" in result ? result.status : undefined,
        },
        failure: "error" in result ? result.error : undefined,
      });
    },
  };
};

export type Next =
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

const traceOf = (unit: Unit): string => {
  const failure = unit.lastError ?? `HTTP status ${String(unit.lastStatus)}`;
  return `Delivery stopped at ${positionOf(unit)} after attempt ${unit.attempts}: ${failure}`;
};

const requestOf = (
  { endpoint, batching }: DeliveryPlan,
  unit: Unit,
  prepared: PreparedRecord | undefined,
  now: number,
): DeliveryRequest => {
  if (!isBatch(unit)) return endpoint.render(prepared ?? unit.record, now);
  if (batching === undefined) throw new RangeError("The plan has no batches");
  return batching.render(
    unit.members.map(({ record }) => record),
    now,
  );
};

/** The record of the unit, or the first record of the batch, as it is sent. */
const firstSent = (unit: Unit, prepared: PreparedRecord | undefined): PreparedRecord =>
  isBatch(unit) ? (unit.members[0]?.record ?? firstRecord(unit)) : (prepared ?? unit.record);

const endOf = ({ action }: Next, url: string | undefined, result: HttpResult): DeliveryEnd => ({
  isDelivered: action === "finish",
  url,
  ...("status" in result ? { answer: result } : { error: result.error }),
});

type Wait = Extract<Verdict, { action: "wait" }>;

const waitMs = (
  { plan, clock, random }: AttemptOptions,
  { ms, upToMs = ms }: Wait,
  result: HttpResult,
): number => {
  const wait = upToMs === ms ? ms : ms + (upToMs - ms) * random();
  const jittered = wait * (1 + plan.jitter * random());
  if (plan.maxRetryAfterMs === 0 || !("status" in result)) return jittered;
  return Math.max(jittered, Math.min(retryAfterMs(result.retryAfter, clock.now()), plan.maxRetryAfterMs));
};

/**
 * Sends the record, as it is stored or as it was prepared, or the batch once. Sets the unit's `attempts`, `retry`, `lastStatus` and
 * `lastError`.
 */
export const createAttempt = (options: AttemptOptions) => {
  const { plan, client, clock, observer, tracing } = options;
  const { endpoint, strategy } = plan;

  const decide = (unit: Unit, result: HttpResult, record: PreparedRecord): Next => {
    // It stops the task whatever the strategy: otherwise the strategy would drop all records.
    if ("kind" in result && result.kind === "forbidden") return { action: "stop", trace: traceOf(unit) };
    const isTokenRefused = "status" in result && result.isTokenRefused === true;
    const answer = isTokenRefused ? "retry" : endpoint.classify(result, record);
    if (answer === "done") return { action: "finish" };
    const verdict = strategy.after(unit.retry, answer, record);
    if (verdict.action === "drop") return { action: "drop" };
    if (verdict.action === "stop") return { action: "stop", trace: traceOf(unit) };
    unit.retry = verdict.state;
    return { action: "wait", ms: isTokenRefused ? 0 : waitMs(options, verdict, result) };
  };

  // An exception of the endpoint is a failed attempt. It must not end the task.
  const send = async (toRequest: () => DeliveryRequest): Promise<HttpResult> => {
    try {
      return await client.send(toRequest());
    } catch (error) {
      return { kind: "lost", error: asGatewayError(error).message };
    }
  };

  const exchange = async (unit: Unit, prepared: PreparedRecord | undefined, now: number) => {
    const trace = traceAttempt(plan.name, unit, tracing);
    let url: string | undefined;
    const result = await send(() => {
      const request = requestOf(plan, unit, prepared, now);
      url = `${request.origin}${request.path}`;
      return trace.mark(request);
    });
    trace.end(result);
    return { result, url };
  };

  return async (unit: Unit, prepared?: PreparedRecord): Promise<Next> => {
    const { topic, partition, offset } = firstRecord(unit);
    const startedAt = clock.now();
    unit.attempts += 1;
    const { result, url } = await exchange(unit, prepared, startedAt);
    unit.lastStatus = "status" in result ? result.status : undefined;
    unit.lastError = "error" in result ? cut(result.error) : undefined;
    const next = decide(unit, result, firstSent(unit, prepared));
    if (plan.reports !== undefined && next.action !== "wait") unit.end = endOf(next, url, result);
    observer.attempted({
      connector: plan.name,
      topic,
      partition,
      offset,
      ...(isBatch(unit) && { records: unit.members.length }),
      attempt: unit.attempts,
      outcome: OUTCOMES[next.action],
      status: unit.lastStatus,
      error: unit.lastError,
      durationMs: clock.now() - startedAt,
      retryInMs: next.action === "wait" ? next.ms : undefined,
    });
    return next;
  };
};
