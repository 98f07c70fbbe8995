/** One trace from a client's request over the stored record to the delivery, with a collector and a sink. */
import { createConnector, deliverySettings } from "../support/connector-api.ts";
import { signIn, startGateway, type Gateway } from "../support/gateway.ts";
import { startHttpSink, type HttpSink } from "../support/http-sink.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
const STATION = "traced";

interface SentSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
}

interface SentTraces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly { readonly key: string; readonly value: object }[] };
    readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[];
  }[];
}

const resourcesOf = ({ body }: { readonly body: string }): SentTraces["resourceSpans"] =>
  (JSON.parse(body) as SentTraces).resourceSpans;

const spansOf = (collector: Pick<HttpSink, "requests">): readonly SentSpan[] =>
  collector.requests
    .flatMap(resourcesOf)
    .flatMap(({ scopeSpans }) => scopeSpans)
    .flatMap(({ spans }) => spans);

interface Started {
  readonly gateway: Gateway;
  readonly sink: HttpSink;
}

describe("a trace", () => {
  let sink: HttpSink | undefined;
  let collector: HttpSink;
  let gateway: Gateway | undefined;

  const start = async (env: Record<string, string>): Promise<Started> => {
    sink = await startHttpSink();
    gateway = await startGateway({ settings: deliverySettings(STATION, 1), env });
    await createConnector(gateway, "out", { sink, topic: STATION });
    return { gateway, sink };
  };

  const produce = async (
    { gateway: started, sink: receiver }: Started,
    headers: Record<string, string>,
  ): Promise<void> => {
    const token = await signIn(started);
    const answer = await fetch(`${started.url}/stations/${STATION}/produce/single`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
      body: '{"key":"a"}',
    });
    expect(answer.status).toBe(200);
    await receiver.received(1);
  };

  beforeEach(async () => {
    collector = await startHttpSink(() => ({ status: 200, body: "{}" }));
  });

  afterEach(async () => {
    await gateway?.[Symbol.asyncDispose]();
    await sink?.close();
    await collector.close();
  });

  it("is passed on unchanged without a collector", async () => {
    const started = await start({});
    await produce(started, { traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: "vendor=1" });
    expect(started.sink.requests[0]?.headers).toMatchObject({
      traceparent: `00-${TRACE}-${SPAN}-01`,
      tracestate: "vendor=1",
    });
    expect(collector.requests).toEqual([]);
  }, 30_000);

  it("has a span for the request and a child span for the delivery", async () => {
    const started = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: new URL(collector.url).origin,
      OTEL_BSP_SCHEDULE_DELAY: "50",
      OTEL_SERVICE_NAME: "gateway-under-test",
    });
    await produce(started, { traceparent: `00-${TRACE}-${SPAN}-01` });
    const find = (name: string): SentSpan | undefined =>
      spansOf(collector).find((span) => span.name === name);
    const REQUEST = `POST /stations/:name/produce/single`;
    await collector.until(() => find(REQUEST) !== undefined && find("deliver out") !== undefined);

    const [request, delivery] = [find(REQUEST), find("deliver out")];
    expect(request).toMatchObject({ traceId: TRACE, parentSpanId: SPAN });
    expect(delivery).toMatchObject({ traceId: TRACE, parentSpanId: request?.spanId });
    expect(started.sink.requests[0]?.headers["traceparent"]).toBe(`00-${TRACE}-${delivery?.spanId ?? ""}-01`);
    expect(collector.requests[0]?.url).toBe("/v1/traces");
    const [resource] = collector.requests.flatMap(resourcesOf);
    expect(resource?.resource.attributes).toContainEqual({
      key: "service.name",
      value: { stringValue: "gateway-under-test" },
    });
  }, 30_000);

  it("is sent to the collector before the gateway stops", async () => {
    const started = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: new URL(collector.url).origin,
      OTEL_BSP_SCHEDULE_DELAY: "60000",
    });
    await produce(started, {});
    expect(await started.gateway.stop()).toBe(0);
    expect(spansOf(collector).map(({ name }) => name)).toContain("deliver out");
  }, 30_000);
});
