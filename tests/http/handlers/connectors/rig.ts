/** The connector routes with real deliveries, a memory broker and an HTTP endpoint that receives the requests. */
import supertest from "supertest";
import type { Broker } from "../../../../src/broker/broker.ts";
import { createMemoryBroker } from "../../../../src/broker/memory/memory-broker.ts";
import { createDelivery, type Delivery } from "../../../../src/delivery/connectors/connector-delivery.ts";
import { createRecentFailures, type RecentFailures } from "../../../../src/delivery/engine/observer.ts";
import { createApp } from "../../../../src/http/http-app.ts";
import { connectorInsightRoutes } from "../../../../src/http/handlers/connectors/insight.ts";
import { connectorRoutes } from "../../../../src/http/handlers/connectors/routes.ts";
import { bodyReaders } from "../../../../src/http/middleware/body/body.ts";
import { createMemoryBudget } from "../../../../src/lib/memory-budget.ts";
import { systemClock } from "../../../../src/lib/clock.ts";
import { type Audit, type AuditLine, createAudit } from "../../../../src/observability/audit.ts";
import { createLog } from "../../../../src/observability/logger/logger.ts";
import { startHttpSink, type HttpSink } from "../../../support/http-sink.ts";

export const WORKER = "127.0.0.1:4445";

const limits = { maxBytes: 1024 * 1024, timeoutMs: 10_000 };

const ignore = (): void => undefined;

const appOf = (
  { connectors }: Delivery,
  {
    broker,
    failures,
    audit,
  }: { readonly broker: Broker; readonly failures: RecentFailures; readonly audit: Audit },
): supertest.Agent =>
  supertest(
    createApp({
      routes: [
        ...connectorRoutes({
          connectors,
          readBody: bodyReaders(createMemoryBudget(1 << 24))(limits),
          version: "1.2.3",
        }),
        ...connectorInsightRoutes({
          connectors,
          failures: (name) => Promise.resolve({ newest: failures.of(name), missing: 0 }),
          ...{ broker, clock: systemClock, eventsRole: "operator" },
        }),
      ],
      guard: {
        authenticate: () => Promise.reject(new Error("no client calls here")),
        admitOperator: () => Promise.resolve({ name: "admin", role: "admin", via: "token" }),
        audit,
      },
      unknownPaths: "admin",
      bodyLimits: limits,
      trustProxy: 0,
      ...createLog({ level: "silent" }),
      metrics: { requestObserved: ignore, authFailed: ignore },
    }),
  );

/** The members of answers that the tests read. */
interface Body {
  message: string;
  error_count: number;
  configs: { definition: { name: string }; value: { value: string; errors: string[] } }[];
}

export const bodyOf = async <T = Body>(answer: PromiseLike<supertest.Response>): Promise<T> =>
  (await answer).body as T;

export interface ConnectorRig {
  readonly http: supertest.Agent;
  readonly sink: HttpSink;
  /** Audit lines so far. */
  readonly audited: readonly AuditLine[];
  readonly broker: Broker;
  /** Configuration of a connector that delivers topic `orders` to the sink. */
  config(): Record<string, string>;
  /** Sends `POST /connectors` with `config()` and the given settings. */
  create(name: string, settings?: Record<string, string>): supertest.Test;
  /** Stores records in topic `orders`, which has one partition. */
  produce(...values: string[]): Promise<void>;
  /** State of the first task of the connector. */
  stateOf(name: string): Promise<unknown>;
  /** Stops the deliveries and starts them again with the same broker. */
  restart(): Promise<void>;
}

/** A new rig for each test of the file. The settings file declares the connector `filed`. */
export const useConnectors = (): ConnectorRig => {
  let broker: Broker;
  let sink: HttpSink;
  let delivery: Delivery;
  let http: supertest.Agent;
  let audited: AuditLine[];

  const config = (): Record<string, string> => ({
    "connector.class": "nz.ac.auckland.kafka.http.sink.HttpSinkConnector",
    topics: "orders",
    "callback.request.url": `${sink.url}/hook`,
    "callback.request.method": "post",
  });

  const start = async (): Promise<void> => {
    const failures = createRecentFailures(Date.now);
    delivery = createDelivery({
      broker,
      connectorsTopic: "_stationgate-connectors",
      allowTargets: ["127.0.0.0/8"],
      declared: [{ name: "filed", config: { ...config(), topics: "filed" } }],
      workerId: WORKER,
      observer: { attempted: failures.attempted, dropped: ignore, skipped: ignore, fault: ignore },
    });
    const audit = createAudit({ write: (line) => void audited.push(line), now: Date.now });
    http = appOf(delivery, { broker, failures, audit });
    await delivery.open();
  };

  beforeEach(async () => {
    audited = [];
    broker = createMemoryBroker();
    await broker.open();
    await broker.ensureTopic({ name: "orders", partitions: 1 });
    sink = await startHttpSink();
    await start();
  });

  afterEach(async () => {
    await sink.close();
    await delivery.close();
    await broker.close();
  });

  return {
    get audited() {
      return audited;
    },
    get http() {
      return http;
    },
    get sink() {
      return sink;
    },
    get broker() {
      return broker;
    },
    config,
    create: (name, settings = {}) =>
      http.post("/connectors").send({ name, config: { ...config(), ...settings } }),
    produce: async (...values) => {
      const timestamp = Date.now();
      const records = values.map((value) => ({
        key: null,
        value: Buffer.from(value),
        headers: [],
        timestamp,
      }));
      await broker.append("orders", records);
    },
    stateOf: async (name) => {
      const { tasks } = await bodyOf<{ tasks: { state: string }[] }>(http.get(`/connectors/${name}/status`));
      return tasks[0]?.state;
    },
    restart: async () => {
      await delivery.close();
      await start();
    },
  };
};
