/** The console, and the operators' routes that only the console uses. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { SignInOperator } from "../auth/operator.ts";
import type { Broker } from "../broker/broker.ts";
import type { Settings } from "../config/schema/schema.ts";
import { COMMIT, VERSION } from "../config/version.ts";
import type { AppOptions } from "../http/http-app.ts";
import { consoleRoutes, signInPage, type ConsoleFiles } from "../http/handlers/console/routes.ts";
import { frontRoute, type GatewayFacts } from "../http/handlers/operations/routes.ts";
import { operatorStationRoutes } from "../http/handlers/operator-stations/routes.ts";
import type { ReadBody } from "../http/middleware/body/body.ts";
import type { Route } from "../http/routes.ts";
import type { AppContext } from "./context.ts";
import { contentLimitsOf, type Ingest } from "./wire-ingest.ts";

/** The build copies the console here. It is absent if the program runs from its sources. */
const FOLDER = new URL("../console/", import.meta.url);

const PAGES: readonly string[] = ["index.html", "sign-in.html"];

const read = (name: string): string => readFileSync(new URL(name, FOLDER), "utf8");

const filesOf = (): ConsoleFiles | undefined => {
  if (!existsSync(FOLDER)) return undefined;
  const names = readdirSync(FOLDER).filter((name) => !PAGES.includes(name));
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
  /** Aborted when streams have to end, because the program does. */
  readonly stopping: AbortSignal;
}

/** Limits of an operator's live view. Above `maxWaitingBytes` events are dropped. */
const TAILS = { heartbeatMs: 15_000, maxWaitingBytes: 1 << 20, maxTails: 20 };

/** Empty without the ingest role: the process then has no stations. */
export const operatorStations = (
  { settings, broker, clock }: AppContext,
  { ingest, readBody, stopping }: StationParts,
): readonly Route[] => {
  if (ingest === undefined) return [];
  const { maxTails, ...limits } = TAILS;
  return operatorStationRoutes({
    ...ingest,
    broker,
    readBody,
    contentLimits: contentLimitsOf(settings.server),
    streams: { ...limits, clock, stopping },
    maxTails,
  });
};
