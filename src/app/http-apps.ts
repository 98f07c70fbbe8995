/** The Express apps of one generation: the routes of both listeners. */
import type { Authentication } from "../auth/authentication.ts";
import type { Operator } from "../auth/operators/operator.ts";
import type { Principal } from "../auth/principal.ts";
import type { Settings } from "../config/schema/schema.ts";
import { VERSION } from "../config/version.ts";
import type { EventStreams } from "../consume/stream/streams.ts";
import { authRoutes } from "../http/handlers/auth/routes.ts";
import { frontPageRoute } from "../http/handlers/front-page.ts";
import {
  gatewayRoute,
  type GatewayFacts,
  healthRoutes,
  metricsRoute,
  stationListRoute,
  statusRoute,
} from "../http/handlers/operations/routes.ts";
import { reloadRoute } from "../http/handlers/operations/reload.ts";
import type { StreamFormats } from "../http/handlers/stations/consume-stream.ts";
import { type AppOptions, createApp } from "../http/http-app.ts";
import { callCounter } from "../http/intake.ts";
import type { LiveCalls } from "../http/live-calls.ts";
import { sessionCookies } from "../http/session-cookie.ts";
import type { BodyLimits } from "../http/middleware/body/body.ts";
import type { OnlyErrors } from "../http/middleware/open-call.ts";
import type { Route } from "../http/routes.ts";
import type { Rates } from "../ingest/limits.ts";
import type { Logger, LogLevels } from "../observability/logger/logger.ts";
import type { AppContext, Configured, DecodingInUse, LastingContext } from "./context.ts";
import { produceRoutes } from "./produce-routes.ts";
import type { HomeKeeper } from "./wire-home.ts";
import { createIngest, type Ingest, type LastingIngest } from "./wire-ingest.ts";
import {
  documentedForClients,
  documentedForOperators,
  factsOf,
  operatorStations,
  sdkRoutes,
  withConsole,
} from "./wire-pages.ts";
import type { OpenedProvider } from "./wire-provider.ts";

/** The parts of the ingest role that the routes of all generations share. */
export interface IngestParts extends LastingIngest {
  readonly homes: HomeKeeper;
}

/** The lasting parts that the routes of all generations share. */
export interface RouteParts {
  /** undefined: this process has no ingest role. */
  readonly ingest: IngestParts | undefined;
  readonly decoding: DecodingInUse;
  readonly logger: Logger;
  readonly rates: Rates;
  readonly eventStreams: EventStreams;
  readonly formats: StreamFormats;
  readonly live: LiveCalls<Principal>;
  readonly operatorsLive: LiveCalls<Operator>;
  /** Aborted when the listeners close: streams end then. */
  readonly stopping: AbortSignal;
  /** Further routes of the operators' listener. */
  readonly adminRoutes: readonly Route[];
  /** The text of `/metrics`. */
  readonly scrape: () => Promise<string>;
  readonly publicListener: GatewayFacts["publicListener"];
}

/** What the routes of one generation need. */
interface Generation extends Omit<RouteParts, "ingest"> {
  readonly context: AppContext;
  readonly authentication: Authentication;
  readonly provider: OpenedProvider | undefined;
  readonly parts: IngestParts | undefined;
  readonly ingest: Ingest | undefined;
  readonly bodyLimits: BodyLimits;
}

export type HttpApps = Readonly<Record<"public" | "admin", ReturnType<typeof createApp>>>;

export const createApps = (
  lasting: LastingContext,
  configured: Configured,
  { ingest: parts, ...shared }: RouteParts,
): HttpApps => {
  const { settings, authentication, provider, registry } = configured;
  const { server } = settings;
  const decoder = registry && shared.decoding.ofRegistry;
  const generation: Generation = {
    ...{ ...shared, authentication, provider, parts },
    context: { ...lasting, settings, decoder },
    ingest: parts && createIngest(lasting, parts, configured),
    bodyLimits: { maxBytes: server.bodyLimit, timeoutMs: server.requestTimeout },
  };
  const options = optionsOf(generation);
  return {
    public: createApp({
      ...options,
      guard: { ...authentication, countCall: callCounter(shared.rates) },
      routes: documentedForClients(publicRoutes(generation)),
      unknownPaths: "client",
      cors: settings.cors,
    }),
    admin: createApp({
      ...options,
      ...operatorsSide(generation),
      guard: { ...authentication, audit: lasting.audit, publicUrl: settings.admin.publicUrl },
      unknownPaths: "admin",
    }),
  };
};

const optionsOf = ({
  context: { settings, log, metrics, tracing },
  authentication: guard,
  bodyLimits,
  logger,
}: Generation): Omit<AppOptions, "routes" | "unknownPaths"> => ({
  ...{ guard, bodyLimits, metrics, tracing, logger },
  trustProxy: settings.server.trustProxy,
  requestLog: log.requestLog,
  onlyErrors: onlyErrorsOf(settings.log, log.levels),
});

const onlyErrorsOf = (
  { requests, slowRequest }: Settings["log"],
  levels: Pick<LogLevels, "isEnabled">,
): OnlyErrors | undefined =>
  requests === "all" ? undefined : { slowMs: slowRequest, isDebug: () => levels.isEnabled("http", "debug") };

/** Limits of the bodies of sign-in requests, on both listeners. */
const authBodyLimits = ({ auth, server }: Settings): BodyLimits => ({
  maxBytes: Math.min(auth.bodyLimit, server.bodyLimit),
  timeoutMs: server.requestTimeout,
});

const publicRoutes = (generation: Generation): readonly Route[] => {
  const { context, authentication, parts, ingest, bodyLimits } = generation;
  const { settings, health, readers } = context;
  const probes = [...healthRoutes(health), statusRoute, frontPageRoute(VERSION)];
  if (ingest === undefined || parts === undefined) return probes;
  const { authenticate, sessions } = authentication;
  return [
    ...produceRoutes(context, {
      ...generation,
      ...{ ingest, authenticate },
      home: parts.homes.homeFor(settings),
      readBody: readers(bodyLimits),
    }),
    ...authRoutes({
      sessions,
      readBody: readers(authBodyLimits(settings)),
      audit: settings.audit.clientSignIns ? context.audit : undefined,
    }),
    ...sdkRoutes(),
    ...probes,
  ];
};

const operatorsSide = (generation: Generation): Pick<AppOptions, "routes" | "errorPage"> => {
  const {
    context,
    authentication,
    provider,
    ingest,
    eventStreams,
    operatorsLive: live,
    bodyLimits,
  } = generation;
  const { settings, broker, readers, audit } = context;
  const stations = operatorStations(context, { ingest, readBody: readers(bodyLimits), eventStreams, live });
  const { routes, errorPage } = withConsole([...adminRoutes(generation), ...stations], {
    ...{ broker, audit, ...authentication },
    provider: provider?.offered,
    cookies: sessionCookies(settings.admin.publicUrl),
    readBody: readers(authBodyLimits(settings)),
  });
  return { routes: documentedForOperators(routes), errorPage };
};

const adminRoutes = ({
  context: { settings, broker, health, metrics, reload },
  ingest,
  scrape,
  adminRoutes: further,
  publicListener,
}: Generation): readonly Route[] => [
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
