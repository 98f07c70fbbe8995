/** What the two listeners' documents say of themselves. */
import { existsSync, readFileSync } from "node:fs";
import { VERSION } from "../config/version.ts";
import { withDocumentation } from "../http/handlers/docs/routes.ts";
import { sdkRoute } from "../http/handlers/sdk.ts";
import type { Route } from "../http/routes.ts";

const PUBLIC = `An HTTP gateway to Kafka. 2xx means stored: acknowledged by all in-sync replicas, or on the disk.

Each family of routes answers in its own clients' language, errors too. 503 says that it is worth to try again, after \`Retry-After\`.

What a REST Proxy has beyond these routes is refused with 403 and \`40301\`: clients don't administer Kafka here.`;

const OPERATORS = `The operators' side of Stationgate: connectors as Kafka Connect has them, stations, metrics.

Everything but the probes and \`/metrics\` asks for the operators' token.`;

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

/** The build copies the SDK here. It is absent if the program runs from its sources. */
const SCRIPT = new URL("../sdk/stationgate.js", import.meta.url);

export const sdkRoutes = (): readonly Route[] =>
  existsSync(SCRIPT) ? [sdkRoute(readFileSync(SCRIPT, "utf8"))] : [];
