/**
 * The files that the build copies into the program (the console, the SDK), the OpenAPI documents, and the operators'
 * routes that only the console uses.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { SignInOperator } from "../auth/operator.ts";
import type { Broker } from "../broker/broker.ts";
import type { Settings } from "../config/schema/schema.ts";
import type { EventStreams } from "../consume/stream/streams.ts";
import { COMMIT, VERSION } from "../config/version.ts";
import { type ConsoleFiles, consoleRoutes, signInPage } from "../http/handlers/console/routes.ts";
import { withDocumentation } from "../http/handlers/docs/routes.ts";
import { frontRoute, type GatewayFacts } from "../http/handlers/operations/routes.ts";
import { operatorStationRoutes } from "../http/handlers/operator-stations/routes.ts";
import { sdkRoute, type SdkScript } from "../http/handlers/sdk.ts";
import type { AppOptions } from "../http/http-app.ts";
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

interface ConsoleDependencies {
  readonly broker: Broker;
  readonly signInOperator: SignInOperator;
  readonly readBody: ReadBody;
}

/** Adds the console to the operators' routes. */
export const withConsole = (
  routes: readonly Route[],
  { broker, signInOperator, readBody }: ConsoleDependencies,
): Pick<AppOptions, "routes" | "errorPage"> => {
  const front = frontRoute({ version: VERSION, commit: COMMIT }, broker);
  const files = filesOf();
  if (files === undefined) return { routes: [...routes, front] };
  const own = consoleRoutes({ files, front, signInOperator, readBody });
  return { routes: [...routes, ...own], errorPage: signInPage(files) };
};

export const factsOf = (
  { roles, broker }: Settings,
  { kind }: Broker,
  publicListener: GatewayFacts["publicListener"],
): GatewayFacts => ({
  version: VERSION,
  commit: COMMIT,
  roles,
  broker: { kind, addresses: kind === "kafka" ? broker.kafka.brokers : [] },
  publicListener,
});

interface StationParts {
  readonly ingest: Ingest | undefined;
  readonly readBody: ReadBody;
  readonly eventStreams: EventStreams;
}

/** Returns no routes without the ingest role, because the process then has no stations. */
export const operatorStations = (
  { settings, broker, decoder }: AppContext,
  { ingest, ...parts }: StationParts,
): readonly Route[] =>
  ingest === undefined
    ? []
    : operatorStationRoutes({
        ...{ ...ingest, ...parts, broker, decoder },
        contentLimits: contentLimitsOf(settings.server),
      });

/** The description of the public listener in its OpenAPI document. */
const PUBLIC = `An HTTP gateway to Kafka. A 2xx response means that the event is stored: acknowledged by all in-sync replicas, or written to the disk.

Each API family has the answers and the error format that its clients know. A 503 response can be retried after the time in \`Retry-After\`.

Routes of the REST Proxy that are not in this document are refused with 403 and \`40301\`: clients can't administer Kafka through this gateway.`;

const OPERATORS = `The operators' routes of Stationgate: connectors in the format of Kafka Connect, stations and metrics.

All routes except the probes and \`/metrics\` need the operators' token.`;

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
