/**
 * The files that the build copies into the program (the console, the SDK), the OpenAPI documents, and the operators'
 * routes that only the console uses.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { Operator, Role } from "../auth/operators/operator.ts";
import type { Broker } from "../broker/broker.ts";
import type { Settings } from "../config/schema/schema.ts";
import type { EventStreams } from "../consume/stream/streams.ts";
import { COMMIT, VERSION } from "../config/version.ts";
import { type ConsoleFiles, consoleRoutes, signInPage } from "../http/handlers/console/routes.ts";
import { withDocumentation } from "../http/handlers/docs/routes.ts";
import { frontRoute, type GatewayFacts } from "../http/handlers/operations/routes.ts";
import { operatorStationRoutes } from "../http/handlers/operator-stations/routes.ts";
import { type SessionRouteDependencies, sessionRoutes } from "../http/handlers/session/routes.ts";
import { type SignInDependencies, signInRoutes } from "../http/handlers/sign-in/routes.ts";
import { sdkRoute, type SdkScript } from "../http/handlers/sdk.ts";
import type { AppOptions } from "../http/http-app.ts";
import type { LiveCalls } from "../http/live-calls.ts";
import type { ReadBody } from "../http/middleware/body/body.ts";
import type { Route } from "../http/routes.ts";
import type { AppContext } from "./context.ts";
import { contentLimitsOf, type Ingest } from "./wire-ingest.ts";

/** The build copies these files. They are absent if the program runs from its sources. */
const CONSOLE = new URL("../console/", import.meta.url);
const SDK = new URL("../sdk/", import.meta.url);
const SCRIPTS: readonly SdkScript[] = ["stationgate.js", "subscribe.js"];

const PAGES: readonly string[] = ["index.html", "sign-in.html"];

const read = (name: string): string => readFileSync(new URL(name, CONSOLE), "utf8");

const filesOf = (): ConsoleFiles | undefined => {
  if (!existsSync(CONSOLE)) return undefined;
  const names = readdirSync(CONSOLE).filter((name) => !PAGES.includes(name));
  return {
    page: read("index.html"),
    signIn: read("sign-in.html"),
    assets: new Map(names.map((name) => [name, read(name)])),
  };
};

/** Adds the sessions and the console to the operators' routes. */
export const withConsole = (
  routes: readonly Route[],
  { broker, ...sessions }: SessionRouteDependencies & SignInDependencies & { readonly broker: Broker },
): Pick<AppOptions, "routes" | "errorPage"> => {
  const front = frontRoute({ version: VERSION, commit: COMMIT }, broker);
  const { provider } = sessions;
  const endSessionUrl = provider?.signIn.endSessionUrl;
  const own = [...routes, ...sessionRoutes({ ...sessions, endSessionUrl }), ...signInRoutes(sessions)];
  const files = filesOf();
  if (files === undefined) return { routes: [...own, front] };
  return {
    routes: [...own, ...consoleRoutes({ files, front })],
    errorPage: signInPage(files, provider?.label),
  };
};

export const factsOf = (
  { roles, broker, admin }: Settings,
  { kind }: Broker,
  publicListener: GatewayFacts["publicListener"],
): GatewayFacts => ({
  version: VERSION,
  commit: COMMIT,
  roles,
  broker: { kind, addresses: kind === "kafka" ? broker.kafka.brokers : [] },
  viewersReadEvents: admin.viewersReadEvents,
  publicListener,
});

/** The least role that reads events on the operators' listener. */
export const eventsRoleOf = ({ admin }: Settings): Role => (admin.viewersReadEvents ? "viewer" : "operator");

interface StationParts {
  readonly ingest: Ingest | undefined;
  readonly readBody: ReadBody;
  readonly eventStreams: EventStreams;
  readonly live: LiveCalls<Operator>;
}

/** Returns no routes without the ingest role, because the process then has no stations. */
export const operatorStations = (
  { settings, inUse, broker, decoder }: AppContext,
  { ingest, ...parts }: StationParts,
): readonly Route[] =>
  ingest === undefined
    ? []
    : operatorStationRoutes({
        ...{ ...ingest, ...parts, broker, decoder },
        contentLimits: contentLimitsOf(settings.server),
        eventsRole: () => eventsRoleOf(inUse.now.settings),
      });

/** The description of the public listener in its OpenAPI document. */
const PUBLIC = `An HTTP gateway to Kafka. A 2xx response means that the event is stored: acknowledged by all in-sync replicas, or written to the disk.

Each API family has the answers and the error format that its clients know. A 503 response can be retried after the time in \`Retry-After\`.

Routes of the REST Proxy that are not in this document are refused with 403 and \`40301\`: clients can't administer Kafka through this gateway.`;

const OPERATORS = `The operators' routes of Stationgate: connectors in the format of Kafka Connect, stations and metrics.

All routes except the probes and \`/metrics\` need a credential of an operator, and a role: \`viewer\`, \`operator\` or \`admin\`. A higher role has all rights of the lower ones.`;

export const documentedForClients = (routes: readonly Route[]): readonly Route[] =>
  withDocumentation(routes, {
    info: { title: "Stationgate", version: VERSION, description: PUBLIC },
    auth: "none",
  });

export const documentedForOperators = (routes: readonly Route[]): readonly Route[] =>
  withDocumentation(routes, {
    info: { title: "Stationgate for operators", version: VERSION, description: OPERATORS },
    auth: "admin",
  });

export const sdkRoutes = (): readonly Route[] =>
  existsSync(SDK) ? SCRIPTS.map((name) => sdkRoute(name, readFileSync(new URL(name, SDK), "utf8"))) : [];
