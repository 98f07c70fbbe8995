import { traceAttempt } from "../../../../src/delivery/engine/attempt.ts";
import type { DeliveryRequest } from "../../../../src/delivery/engine/delivery-plan.ts";
import type { Item } from "../../../../src/delivery/engine/claims.ts";
import type { SpanEnd, TraceContext, Tracing } from "../../../../src/observability/tracing/tracing.ts";

const TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const CHILD = "00-4bf92f3577b34da6a3ce929d0e0e4736-1111111111111111-01";

const REQUEST: DeliveryRequest = {
  origin: "http://sink.example",
  path: "/",
  method: "POST",
  headers: ["X-Kafka-Topic", "t"],
  body: null,
};

const itemWith = (headers: Readonly<Record<string, string>>): Item =>
  ({
    record: {
      topic: "t",
      partition: 3,
      offset: 7n,
      headers: Object.entries(headers).map(([name, value]) => ({ name, value: Buffer.from(value) })),
    },
    attempts: 2,
  }) as unknown as Item;

interface RecordedSpan {
  readonly name: string;
  readonly parent: TraceContext | undefined;
  end?: SpanEnd;
}

const recordingTracing = (): { tracing: Tracing; spans: RecordedSpan[] } => {
  const spans: RecordedSpan[] = [];
  const tracing: Tracing = {
    begin: (name, _kind, parent) => {
      const span: RecordedSpan = { name, parent };
      spans.push(span);
      return {
        context: { traceparent: CHILD, tracestate: parent?.tracestate },
        end: (result) => {
          span.end = result;
        },
      };
    },
    close: () => Promise.resolve(),
  };
  return { tracing, spans };
};

const BROKEN_STATE = { traceparent: TRACEPARENT, tracestate: "a=b\n" };

describe("without spans", () => {
  it("omits a tracestate that a header can't carry", () => {
    expect(traceAttempt("crm", itemWith(BROKEN_STATE), undefined).mark(REQUEST).headers).toEqual([
      "X-Kafka-Topic",
      "t",
      "traceparent",
      TRACEPARENT,
    ]);
  });

  it("passes the record's trace on unchanged", () => {
    const item = itemWith({ traceparent: TRACEPARENT, tracestate: "vendor=1" });
    expect(traceAttempt("crm", item, undefined).mark(REQUEST).headers).toEqual([
      "X-Kafka-Topic",
      "t",
      "traceparent",
      TRACEPARENT,
      "tracestate",
      "vendor=1",
    ]);
  });

  it.each([{}, { traceparent: "broken", tracestate: "vendor=1" }])(
    "adds nothing for headers %j",
    (headers) => {
      expect(traceAttempt("crm", itemWith(headers), undefined).mark(REQUEST)).toBe(REQUEST);
    },
  );
});

describe("with spans", () => {
  it("makes each attempt a child of the record's origin", () => {
    const { tracing, spans } = recordingTracing();
    const trace = traceAttempt("crm", itemWith({ traceparent: TRACEPARENT }), tracing);
    expect(trace.mark(REQUEST).headers.slice(2)).toEqual(["traceparent", CHILD]);
    trace.end({ status: 200, retryAfter: undefined, body: Buffer.alloc(0) });
    expect(spans).toMatchObject([
      {
        name: "deliver crm",
        parent: { traceparent: TRACEPARENT },
        end: {
          attributes: {
            "stationgate.attempt": 2,
            "messaging.kafka.offset": "7",
            "http.response.status_code": 200,
          },
        },
      },
    ]);
    expect(spans[0]?.end?.failure).toBeUndefined();
  });

  it("starts a trace if the record has none, and reports the reason of a failed attempt", () => {
    const { tracing, spans } = recordingTracing();
    traceAttempt("crm", itemWith({}), tracing).end({ kind: "lost", error: "ECONNRESET" });
    expect(spans).toMatchObject([{ parent: undefined, end: { failure: "ECONNRESET" } }]);
  });
});
