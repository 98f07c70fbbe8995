/** The trace of a record goes on with its requests: each attempt a span where spans are told of, else as it came. */
import type { ConsumedRecord } from "../../broker/broker.ts";
import { traceContext, type Span, type TraceContext, type Tracing } from "../../observability/tracing.ts";
import type { DeliveryRequest, HttpResult } from "./endpoint.ts";
import type { Item } from "./item.ts";

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

export interface AttemptTrace {
  /** The request with the headers that tell its receiver of the trace. */
  mark(request: DeliveryRequest): DeliveryRequest;
  end(result: HttpResult): void;
}

/** One attempt's part of the record's trace. */
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
