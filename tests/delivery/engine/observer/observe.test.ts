import { type AttemptReport, observeDeliveries } from "../../../../src/delivery/engine/observer.ts";
import { GatewayError } from "../../../../src/errors.ts";
import { createMetrics } from "../../../../src/observability/metrics.ts";

const report = (fields: Partial<AttemptReport> = {}): AttemptReport => ({
  connector: "crm",
  topic: "orders",
  partition: 1,
  offset: 7n,
  attempt: 2,
  outcome: "retry",
  status: 503,
  error: undefined,
  durationMs: 20,
  retryInMs: 5000,
  ...fields,
});

const observe = () => {
  const lines: [level: string, fields: object][] = [];
  const keep =
    (level: string) =>
    (fields: object): void => {
      lines.push([level, fields]);
    };
  const metrics = createMetrics();
  const logger = { info: keep("info"), warn: keep("warn"), error: keep("error") };
  return { lines, metrics, observer: observeDeliveries({ logger, metrics }) };
};

describe("observeDeliveries", () => {
  it("counts attempts of a connector without log lines", async () => {
    const { lines, metrics } = observe();
    const logger = { info: () => lines.push(["info", {}]), warn: () => undefined, error: () => undefined };
    const isLogged = (connector: string) => connector !== "quiet";
    const observer = observeDeliveries({ logger, metrics, isLogged });
    observer.attempted(report({ connector: "quiet" }));
    observer.attempted(report({ connector: "crm" }));

    expect(lines).toHaveLength(1);
    expect(await metrics.text()).toMatch(/stationgate_delivery_attempts_total\{connector="quiet".*\} 1/);
  });

  it("logs each attempt once, as an error only if an operator must act", () => {
    const { lines, observer } = observe();
    observer.attempted(report());
    observer.attempted(report({ outcome: "stopped", retryInMs: undefined }));
    observer.dropped("crm", { topic: "orders", partition: 1, offset: 7n }, true);
    observer.fault("crm", new GatewayError("BROKER_UNAVAILABLE"));

    expect(lines).toMatchObject([
      [
        "info",
        {
          connector: "crm",
          topic: "orders",
          partition: 1,
          offset: "7",
          attempt: 2,
          outcome: "retry",
          status: 503,
          duration_ms: 20,
          retry_in_ms: 5000,
        },
      ],
      ["error", { outcome: "stopped" }],
      ["warn", { connector: "crm", offset: "7", deadLettered: true }],
      ["warn", { code: "BROKER_UNAVAILABLE" }],
    ]);
  });

  it("counts attempts by connector", async () => {
    const { metrics, observer } = observe();
    observer.attempted(report());
    observer.attempted(report({ outcome: "delivered" }));
    observer.dropped("crm", { topic: "orders", partition: 1, offset: 7n }, false);
    observer.dropped("crm", { topic: "orders", partition: 1, offset: 8n }, true);
    metrics.deliveriesFrom(() =>
      Promise.resolve([{ connector: "crm", inFlight: 3, waiting: 2, lag: { records: 40, seconds: 1.5 } }]),
    );
    const text = await metrics.text();

    expect(
      text.split("\n").filter((line) => line.includes("_delivery_") && !/^#|_bucket|_sum/.test(line)),
    ).toStrictEqual([
      'stationgate_delivery_attempts_total{connector="crm",outcome="retry"} 1',
      'stationgate_delivery_attempts_total{connector="crm",outcome="delivered"} 1',
      'stationgate_delivery_attempt_seconds_count{connector="crm"} 2',
      'stationgate_delivery_dropped_total{connector="crm"} 2',
      'stationgate_delivery_dead_lettered_total{connector="crm"} 1',
      'stationgate_delivery_in_flight{connector="crm"} 3',
      'stationgate_delivery_retrying{connector="crm"} 2',
      'stationgate_delivery_lag_records{connector="crm"} 40',
      'stationgate_delivery_lag_seconds{connector="crm"} 1.5',
    ]);
  });
});
