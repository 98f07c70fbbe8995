/** The public and the operators' listener: their routes and their shutdown. */
import { setMaxListeners } from "node:events";
import type { AddressInfo, Server, Socket } from "node:net";
import { createAuthentication, type Authentication } from "../auth/authentication.ts";
import type { EventStreams } from "../consume/stream/streams.ts";
import type { Settings } from "../config/schema/schema.ts";
import { VERSION } from "../config/version.ts";
import type { Home } from "../home/home.ts";
import { createApp, type AppOptions } from "../http/http-app.ts";
import { authRoutes } from "../http/handlers/auth/routes.ts";
import { frontPageRoute } from "../http/handlers/front-page.ts";
import {
  gatewayRoute,
  healthRoutes,
  metricsRoute,
  stationListRoute,
  statusRoute,
  type GatewayFacts,
} from "../http/handlers/operations/routes.ts";
import { reloadRoute } from "../http/handlers/operations/reload.ts";
import type { BodyLimits } from "../http/middleware/body/body.ts";
import { callCounter } from "../http/intake.ts";
import type { Route } from "../http/routes.ts";
import { createRates, type Rates } from "../ingest/limits.ts";
import { createHttpServer, type HttpServer } from "../http/server.ts";
import type { AppContext } from "./context.ts";
import {
  documentedForClients,
  documentedForOperators,
  factsOf,
  operatorStations,
  sdkRoutes,
  withConsole,
} from "./wire-pages.ts";
import { openIssuers } from "./wire-issuers.ts";
import { openEventStreams } from "./wire-reading.ts";
import { renewTls, schemeOf, serverTls } from "./wire-tls.ts";
import type { TlsFiles } from "./read-tls.ts";
import type { Ingest } from "./wire-ingest.ts";
import { produceRoutes } from "./produce-routes.ts";

export interface Listeners {
  /** Binds both listeners. Rejects with node's error, for example if an address is in use. */
  listen(): Promise<Addresses>;
  /** Accepts connections from a listening socket that is shared with other processes. */
  acceptFrom(listener: ListenerName, listening: Server): void;
  /** Serves a connection that another process accepted. */
  take(listener: ListenerName, socket: Socket): void;
  /** Stops accepting connections. Open connections continue, and `take` still works. */
  stopAccepting(): Promise<void>;
  /** New connections use these pairs. Throws OpenSSL's error for a pair that can't be used. */
  renewTls(files: TlsFiles): void;
}

export type ListenerName = "public" | "admin";

export interface Addresses {
  readonly public: AddressInfo;
  readonly admin: AddressInfo;
}

interface ListenerParts {
  /** undefined: this process has no ingest role. */
  readonly ingest: Ingest | undefined;
  /** undefined: no client can read with a group. */
  readonly home: Home | undefined;
  /** Further routes of the operators' listener. */
  readonly adminRoutes: readonly Route[];
  /** The text of `/metrics`. */
  readonly scrape: () => Promise<string>;
}

/** Share of the grace period for the listeners. The rest is for the parts that the listeners use. */
const DRAIN_SHARE = 0.7;

export const createListeners = (context: AppContext, parts: ListenerParts): Listeners => {
  const { settings, tls, memory, metrics } = context;
  const shared = sharedOptions(context);
  const rates = createRates({
    ...{ perAddress: settings.limits.perAddress, maxDebtMs: settings.limits.maxDebt },
    now: () => performance.now(),
  });
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal);
  const side = { shared, eventStreams: openEventStreams(context, stopping.signal) };
  const publicServer = createHttpServer(
    createApp({
      ...shared,
      guard: { ...shared.guard, countCall: callCounter(rates) },
      routes: documentedForClients(
        publicRoutes(context, parts, { ...side, rates, stopping: stopping.signal }),
      ),
      unknownPaths: "client",
      cors: settings.cors,
    }),
    settings.server,
    memory,
    serverTls("public", tls, metrics),
  );
  /** `listen` sets the bound port. */
  const address = { scheme: schemeOf(tls.public), host: settings.server.host, port: settings.server.port };
  const adminServer = createHttpServer(
    createApp({
      ...shared,
      ...operatorsSide(context, parts, { ...side, publicListener: () => address }),
      unknownPaths: "admin",
    }),
    settings.server,
    memory,
    serverTls("admin", tls, metrics),
  );
  const servers: Servers = { public: publicServer, admin: adminServer };
  closeInOrder(context, servers, stopping);
  return {
    listen: async () => {
      const admin = await adminServer.listen(settings.admin.port, settings.admin.host);
      const bound = await publicServer.listen(address.port, address.host);
      address.port = bound.port;
      return { admin, public: bound };
    },
    acceptFrom: (listener, listening) => {
      servers[listener].acceptFrom(listening);
    },
    take: (listener, socket) => {
      servers[listener].take(socket);
    },
    stopAccepting: async () => {
      await Promise.all(Object.values(servers).map((server) => server.stopAccepting()));
    },
    renewTls: (files) => {
      renewTls(servers, files, metrics);
    },
  };
};

type Servers = Readonly<Record<ListenerName, HttpServer>>;

/** Streams end before the listeners wait for their requests. */
const closeInOrder = (
  { lifecycle, settings }: AppContext,
  servers: Servers,
  stopping: AbortController,
): void => {
  lifecycle.onClose("listeners", async () => {
    const graceMs = settings.server.shutdownGrace * DRAIN_SHARE;
    await Promise.all(Object.values(servers).map((server) => server.drain({ graceMs })));
  });
  lifecycle.onClose("streams", () => {
    stopping.abort();
    return Promise.resolve();
  });
};

type SharedOptions = Omit<AppOptions, "routes" | "unknownPaths"> & {
  readonly sessions: Authentication["sessions"];
  readonly signInOperator: Authentication["signInOperator"];
};

const sharedOptions = ({ settings, log, metrics, tracing, keyUnits }: AppContext): SharedOptions => {
  const { auth, admin, server } = settings;
  const { sessions, signInOperator, ...guard } = createAuthentication({
    ...auth,
    otherIssuers: openIssuers(settings, keyUnits),
    adminToken: admin.token,
    adminFailuresPerMinute: admin.failuresPerMinute,
  });
  return {
    sessions,
    signInOperator,
    guard,
    bodyLimits: { maxBytes: server.bodyLimit, timeoutMs: server.requestTimeout },
    trustProxy: server.trustProxy,
    logger: log.named("http"),
    requestLog: log.requestLog,
    metrics,
    tracing,
  };
};

/** Limits of the bodies of sign-in requests, on both listeners. */
const authBodyLimits = ({ auth, server }: Settings): BodyLimits => ({
  maxBytes: Math.min(auth.bodyLimit, server.bodyLimit),
  timeoutMs: server.requestTimeout,
});

interface SideOptions {
  readonly shared: SharedOptions;
  /** Both listeners share them. */
  readonly eventStreams: EventStreams;
}

interface PublicOptions extends SideOptions {
  readonly rates: Rates;
  /** Aborted when the listeners close: streams end then. */
  readonly stopping: AbortSignal;
}

const publicRoutes = (
  context: AppContext,
  { ingest, home }: ListenerParts,
  { shared, rates, eventStreams, stopping }: PublicOptions,
): readonly Route[] => {
  const { settings, health, readers } = context;
  const { bodyLimits, sessions, guard } = shared;
  const probes = [...healthRoutes(health), statusRoute, frontPageRoute(VERSION)];
  if (ingest === undefined) return probes;
  const { authenticate } = guard;
  return [
    ...produceRoutes(context, {
      ...{ ingest, home, rates, authenticate, eventStreams, stopping },
      readBody: readers(bodyLimits),
    }),
    ...authRoutes({ sessions, readBody: readers(authBodyLimits(settings)) }),
    ...sdkRoutes(),
    ...probes,
  ];
};

interface OperatorsOptions extends SideOptions {
  readonly publicListener: GatewayFacts["publicListener"];
}

const operatorsSide = (
  context: AppContext,
  parts: ListenerParts,
  { shared, eventStreams, publicListener }: OperatorsOptions,
): Pick<AppOptions, "routes" | "errorPage"> => {
  const { settings, broker, readers } = context;
  const { signInOperator } = shared;
  const own = adminRoutes(context, parts, publicListener);
  const readBody = readers(shared.bodyLimits);
  const stations = operatorStations(context, { ingest: parts.ingest, readBody, eventStreams });
  const { routes, errorPage } = withConsole([...own, ...stations], {
    ...{ broker, signInOperator },
    readBody: readers(authBodyLimits(settings)),
  });
  return { routes: documentedForOperators(routes), errorPage };
};

const adminRoutes = (
  { settings, broker, health, metrics, reload }: AppContext,
  { ingest, scrape, adminRoutes: further }: ListenerParts,
  publicListener: GatewayFacts["publicListener"],
): readonly Route[] => [
  ...healthRoutes(health),
  metricsRoute({ contentType: metrics.contentType, text: scrape }),
  stationListRoute({
    declared: ingest?.stations.declared ?? [],
    autoCreate: settings.autoCreateStations,
    broker,
  }),
  gatewayRoute(factsOf(settings, broker, publicListener), broker, reload),
  reloadRoute(reload),
  ...further,
];
