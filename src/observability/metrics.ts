/** Metrics in Prometheus' text format. Users' dashboards depend on the names and labels: don't rename them. */
import { AggregatorRegistry, collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { FailureOutcome } from "../errors.ts";
import { deliveryMetrics, type DeliveryMetrics } from "./delivery-metrics.ts";
import { issuerMetrics, type IssuerMetrics } from "./issuer-metrics.ts";
import { kafkaMetrics, type KafkaMetrics } from "./kafka-metrics.ts";
import { onceMetrics, type OnceMetrics } from "./once-metrics.ts";
import { readingMetrics, type ReadingMetrics } from "./reading-metrics.ts";
import { registryMetrics, type RegistryMetrics } from "./registry-metrics.ts";
import { retentionMetrics, type RetentionMetrics } from "./retention-metrics.ts";
import { type AuditMetrics, auditMetrics, reloadMetrics, type ReloadMetrics } from "./reload-metrics.ts";
import { spoolMetrics, type SpoolMetrics } from "./spool-metrics.ts";
import { tallyingCounter, tallyingHistogram } from "./tallies.ts";
import { tlsMetrics, type TlsMetrics } from "./tls-metrics.ts";

/** All metrics of one process as plain data, which can be sent to another process. */
export type MetricSamples = Awaited<ReturnType<Registry["getMetricsAsJSON"]>>;

/** Adds up the metrics of several processes. A gauge with another aggregator (an age, a version) isn't added up. */
const summed = (all: readonly MetricSamples[]): Registry => AggregatorRegistry.aggregate([...all]);

/** The sum in Prometheus' text format. */
export const textOfSum = (all: readonly MetricSamples[]): Promise<string> => summed(all).metrics();

/**
 * The counters and histograms of ended processes, to be kept in the sum. Otherwise the sum would decrease, and Prometheus
 * would take that for a counter reset.
 */
export const countsOf = (all: readonly MetricSamples[]): Promise<MetricSamples> =>
  summed(all.map((samples) => samples.filter(isCount))).getMetricsAsJSON();

/** prom-client declares the types as numbers of an enum, but its samples contain these words. */
const COUNTS = new Set(["counter", "histogram"]);

const isCount = ({ type }: MetricSamples[number]): boolean => COUNTS.has(String(type));

interface RequestObservation {
  /** The route's template. The path itself would give each client the power to create labels. */
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly seconds: number;
}

export interface Metrics
  extends
    DeliveryMetrics,
    ReadingMetrics,
    RegistryMetrics,
    ReloadMetrics,
    IssuerMetrics,
    KafkaMetrics,
    OnceMetrics,
    SpoolMetrics,
    RetentionMetrics,
    TlsMetrics,
    AuditMetrics {
  requestObserved(request: RequestObservation): void;
  eventsEnded(station: string, outcome: "stored" | "spooled" | FailureOutcome, count: number): void;
  /** An append has settled: its duration and number of records. */
  appendObserved(seconds: number, records: number): void;
  /** `read` is called at each scrape and returns the bytes that wait for the broker. */
  bufferedBytesFrom(read: () => number): void;
  /** `read` is called at each scrape and returns the bytes of `limits.memory` in use. */
  clientMemoryFrom(read: () => number): void;
  authFailed(reason: string): void;
  webhookRefused(source: string): void;
  readonly contentType: string;
  /** All metrics in Prometheus' text format. */
  text(): Promise<string>;
  /** All metrics as data, to be added up with those of other processes. */
  samples(): Promise<MetricSamples>;
}

/** Maximum number of station labels; further stations are "other". Needed because writes can create stations. */
const MAX_STATION_LABELS = 1000;
const REQUEST_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const APPEND_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const SIZE_BUCKETS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000];

/** Creates a registry of its own, so that two in one process (as in tests) are independent. */
export const createMetrics = (): Metrics => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return {
    ...httpMetrics(registry),
    ...auditMetrics(registry),
    ...ingestMetrics(registry),
    ...deliveryMetrics(registry),
    ...readingMetrics(registry),
    ...registryMetrics(registry),
    ...reloadMetrics(registry),
    ...issuerMetrics(registry),
    ...kafkaMetrics(registry),
    ...onceMetrics(registry),
    ...spoolMetrics(registry),
    ...retentionMetrics(registry),
    ...tlsMetrics(registry),
    contentType: registry.contentType,
    text: () => registry.metrics(),
    samples: () => registry.getMetricsAsJSON(),
  };
};

const httpMetrics = (
  registry: Registry,
): Pick<Metrics, "requestObserved" | "clientMemoryFrom" | "authFailed" | "webhookRefused"> => {
  const registers = [registry];
  const countRequest = tallyingCounter({
    name: "stationgate_http_requests_total",
    help: "Requests answered, by route, method and status.",
    labelNames: ["route", "method", "status"],
    registers,
  });
  const observeDuration = tallyingHistogram({
    name: "stationgate_http_request_seconds",
    help: "Seconds from a request's headers to the end of its answer, by route.",
    labelNames: ["route"],
    buckets: REQUEST_BUCKETS,
    registers,
  });
  const authFailures = new Counter({
    name: "stationgate_auth_failures_total",
    help: "Requests refused for their credential, by reason.",
    labelNames: ["reason"],
    registers,
  });
  const webhooks = new Counter({
    name: "stationgate_webhook_refusals_total",
    help: "Webhook requests refused for their signature, by source.",
    labelNames: ["source"],
    registers,
  });
  return {
    requestObserved: ({ route, method, status, seconds }) => {
      countRequest(1, route, method, status);
      observeDuration(route, seconds);
    },
    clientMemoryFrom: (read) => {
      new Gauge({
        name: "stationgate_client_memory_bytes",
        help: "Bytes of limits.memory in use: request bodies, pipelined requests, readers' buffers, requests between gateways.",
        registers,
        collect() {
          this.set(read());
        },
      });
    },
    authFailed: (reason) => {
      authFailures.inc({ reason });
    },
    webhookRefused: (source) => {
      webhooks.inc({ source });
    },
  };
};

const ingestMetrics = (
  registry: Registry,
): Pick<Metrics, "eventsEnded" | "appendObserved" | "bufferedBytesFrom"> => {
  const registers = [registry];
  const countEvents = tallyingCounter({
    name: "stationgate_events_total",
    help: "Events by station and outcome: stored, spooled (on the disk of this pod), refused, unavailable (not stored, send again), unknown.",
    labelNames: ["station", "outcome"],
    registers,
  });
  const append = new Histogram({
    name: "stationgate_append_seconds",
    help: "Seconds from handing records to the broker to its acknowledgement.",
    buckets: APPEND_BUCKETS,
    registers,
  });
  const size = new Histogram({
    name: "stationgate_append_records",
    help: "Records in one append.",
    buckets: SIZE_BUCKETS,
    registers,
  });
  const stations = new Set<string>();
  const stationLabel = (station: string): string => {
    if (stations.has(station)) return station;
    if (stations.size >= MAX_STATION_LABELS) return "other";
    stations.add(station);
    return station;
  };
  return {
    eventsEnded: (station, outcome, count) => {
      countEvents(count, stationLabel(station), outcome);
    },
    appendObserved: (seconds, records) => {
      append.observe(seconds);
      size.observe(records);
    },
    bufferedBytesFrom: (read) => {
      new Gauge({
        name: "stationgate_buffered_bytes",
        help: "Bytes of events that wait for the broker's acknowledgement.",
        registers,
        collect() {
          this.set(read());
        },
      });
    },
  };
};
