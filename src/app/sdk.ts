import { existsSync, readFileSync } from "node:fs";
import { sdkRoute } from "../http/handlers/sdk.ts";
import type { Route } from "../http/routes.ts";

/** The build puts it beside the program; a program that runs from its sources has none to serve. */
const SCRIPT = new URL("../sdk/stationgate.js", import.meta.url);

export const sdkRoutes = (): readonly Route[] =>
  existsSync(SCRIPT) ? [sdkRoute(readFileSync(SCRIPT, "utf8"))] : [];
