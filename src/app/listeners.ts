/** The two listeners: what each serves, and how they go down. */
import { setMaxListeners } from "node:events";
import type { AddressInfo, Server, Socket } from "node:net";
import { createAuthentication, type Authentication } from "../auth/authentication.ts";
import type { Settings } from "../config/schema/schema.ts";
import { VERSION } from "../config/version.ts";
import type { PullConsumers } from "../consume/consume.ts";
import { createApp, type AppOptions } from "../http/http-app.ts";
import { authRoutes } from "../http/handlers/auth/routes.ts";
import { frontPageRoute } from "../http/handlers/front-page.ts";
import {
  gatewayRoute,
  healthRoutes,
  metricsRoute,
  stationListRoute,
  statusRoute,
} from "../http/handlers/operations/routes.ts";
import type { BodyLimits, BodyReaders } from "../http/middleware/body/body.ts";
import { callCounter } from "../http/intake.ts";
import type { Route } from "../http/routes.ts";
import { createRates, type Rates } from "../ingest/limits.ts";
import { createHttpServer } from "../http/server.ts";
import type { Broker } from "../broker/broker.ts";
import type { MemoryBudget } from "../lib/memory-budget.ts";
import type { Health } from "../observability/health.ts";
import type { RequestLog } from "../observability/logger/request-lines.ts";
import type { Logger } from "../observability/logger/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { Tracing } from "../observability/tracing/tracing.ts";
import { factsOf, operatorStations, withConsole } from "./wire-console.ts";
import { documentedForClients, documentedForOperators, sdkRoutes } from "./wire-documents.ts";
import type { Ingest } from "./wire-ingest.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { produceRoutes } from "./produce-routes.ts";

export interface Listeners {
  /** Binds both. Rejects as node does, when an address is taken. */
  listen(): Promise<Addresses>;
  /** Serves the connections of a socket that another process listens to as well. */
  acceptFrom(listener: ListenerName, listening: Server): void;
  /** Serves a connection that another process has accepted. */
  take(listener: ListenerName, socket: Socket): void;
  /** Accepts no connection any more; resolves then. Those that are open go on, and more can be taken. */
  stopAccepting(): Promise<void>;
}

export type ListenerName = "public" | "admin";

export interface Addresses {
  readonly public: AddressInfo;
  readonly admin: AddressInfo;
}

export interface ListenerDependencies {
  readonly settings: Settings;
  readonly broker: Broker;
  /** undefined: this process doesn't take events. */
  readonly ingest: Ingest | undefined;
  readonly consumers: PullConsumers;
  /** Further rows of the operators' listener. */
  readonly adminRoutes: readonly Route[];
  readonly health: Health;
  /** What clients make the process hold, on both listeners. */
  readonly memory: MemoryBudget;
  readonly readers: BodyReaders;
  readonly logger: Logger;
  readonly requestLog: RequestLog;
  readonly metrics: Metrics;
  readonly tracing: Tracing | undefined;
  /** What `/metrics` answers. */
  readonly scrape: () => Promise<string>;
  readonly lifecycle: Lifecycle;
}

/** Of the time for an orderly end; the rest is for what lies behind the listeners. */
const DRAIN_SHARE = 0.7;

export const createListeners = (dependencies: ListenerDependencies): Listeners => {
  const { settings, lifecycle } = dependencies;
  const shared = sharedOptions(dependencies);
  const rates = createRates({
    perAddress: settings.limits.perAddress,
    maxDebtMs: settings.limits.maxDebt,
    now: () => performance.now(),
  });
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal);
  const publicServer = createHttpServer(
    createApp({
      ...shared,
      guard: { ...shared.guard, countCall: callCounter(rates) },
      routes: documentedForClients(publicRoutes({ ...dependencies, rates }, shared, stopping.signal)),
      unknownPaths: "client",
      cors: settings.cors,
    }),
    settings.server,
    dependencies.memory,
  );
  const adminServer = createHttpServer(
    createApp({
      ...shared,
      ...operatorsSide(dependencies, shared, stopping.signal),
      unknownPaths: "admin",
    }),
    settings.server,
    dependencies.memory,
  );
  const servers = { public: publicServer, admin: adminServer };
  const graceMs = settings.server.shutdownGrace * DRAIN_SHARE;
  lifecycle.onClose("listeners", async () => {
    await Promise.all(Object.values(servers).map((server) => server.drain({ graceMs })));
  });
  lifecycle.onClose("streams", () => {
    stopping.abort();
    return Promise.resolve();
  });
  return {
    listen: async () => ({
      admin: await adminServer.listen(settings.admin.port, settings.admin.host),
      public: await publicServer.listen(settings.server.port, settings.server.host),
    }),
    acceptFrom: (listener, listening) => {
      servers[listener].acceptFrom(listening);
    },
    take: (listener, socket) => {
      servers[listener].take(socket);
    },
    stopAccepting: async () => {
      await Promise.all(Object.values(servers).map((server) => server.stopAccepting()));
    },
  };
};

type SharedOptions = Omit<AppOptions, "routes" | "unknownPaths"> & {
  readonly sessions: Authentication["sessions"];
  readonly signInOperator: Authentication["signInOperator"];
};

const sharedOptions = (dependencies: ListenerDependencies): SharedOptions => {
  const { settings, logger, requestLog, metrics, tracing } = dependencies;
  const { auth, admin, server } = settings;
  const { sessions, signInOperator, ...guard } = createAuthentication({
    ...auth,
    adminToken: admin.token,
    adminFailuresPerMinute: admin.failuresPerMinute,
  });
  return {
    sessions,
    signInOperator,
    guard,
    bodyLimits: { maxBytes: server.bodyLimit, timeoutMs: server.requestTimeout },
    trustProxy: server.trustProxy,
    logger,
    requestLog,
    metrics,
    tracing,
  };
};

/** Of requests that sign in, whoever sends them. */
const authBodyLimits = ({ auth, server }: Settings): BodyLimits => ({
  maxBytes: Math.min(auth.bodyLimit, server.bodyLimit),
  timeoutMs: server.requestTimeout,
});

interface PublicDependencies extends ListenerDependencies {
  readonly rates: Rates;
}

const publicRoutes = (
  {
    settings,
    broker,
    ingest,
    consumers,
    health,
    memory,
    readers,
    rates,
    logger,
    metrics,
  }: PublicDependencies,
  { bodyLimits, sessions, guard }: SharedOptions,
  stopping: AbortSignal,
): readonly Route[] => {
  const probes = [...healthRoutes(health), statusRoute, frontPageRoute(VERSION)];
  if (ingest === undefined) return probes;
  const readBody = readers(bodyLimits);
  const { authenticate } = guard;
  return [
    ...produceRoutes({
      ...{ settings, ingest, broker, consumers, memory, rates, logger, metrics },
      ...{ readBody, authenticate, stopping },
    }),
    ...authRoutes({ sessions, readBody: readers(authBodyLimits(settings)) }),
    ...sdkRoutes(),
    ...probes,
  ];
};

const operatorsSide = (
  dependencies: ListenerDependencies,
  shared: SharedOptions,
  stopping: AbortSignal,
): Pick<AppOptions, "routes" | "errorPage"> => {
  const { settings, broker, ingest, readers } = dependencies;
  const { signInOperator } = shared;
  const readBody = readers(shared.bodyLimits);
  const own = adminRoutes(dependencies);
  const stations = operatorStations({ settings, broker, ingest, readBody, stopping });
  const { routes, errorPage } = withConsole([...own, ...stations], {
    ...{ broker, signInOperator },
    readBody: readers(authBodyLimits(settings)),
  });
  return { routes: documentedForOperators(routes), errorPage };
};

const adminRoutes = (dependencies: ListenerDependencies): readonly Route[] => {
  const { settings, broker, ingest, health, metrics, scrape } = dependencies;
  const declared = ingest?.stations.declared ?? [];
  return [
    ...healthRoutes(health),
    metricsRoute({ contentType: metrics.contentType, text: scrape }),
    stationListRoute({ declared, autoCreate: settings.autoCreateStations, broker }),
    gatewayRoute(factsOf(settings, broker), broker),
    ...dependencies.adminRoutes,
  ];
};
