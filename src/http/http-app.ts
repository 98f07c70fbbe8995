/** An Express app of a route table: the order of the middleware, and the answers for unknown paths. */
import express, { type Express, type RequestHandler } from "express";
import { GatewayError } from "../errors.ts";
import type { RequestLog } from "../observability/logger/request-lines.ts";
import type { Logger } from "../observability/logger/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { Tracing } from "../observability/tracing/tracing.ts";
import { callOf, enterRoute } from "./call.ts";
import { type BodyLimits, settleUnreadBody } from "./middleware/body/body.ts";
import { answerPreflight, type CorsOptions } from "./middleware/cors.ts";
import { errorResponder, type ErrorPage } from "./middleware/error-responder.ts";
import { firstHeaders } from "./middleware/first-headers.ts";
import { guarded, guardOnly, type Guard } from "./middleware/guard.ts";
import { callOpener, type OnlyErrors } from "./middleware/open-call.ts";
import { traced } from "./middleware/traced.ts";
import type { AuthNeed, Route } from "./routes.ts";
import type { Method } from "./row.ts";

export interface AppOptions {
  /** The routes, in the order in which they are tried: the most frequent ones first. */
  readonly routes: readonly Route[];
  readonly guard: Guard;
  /** The credential that an unknown path needs before it is answered with 404. */
  readonly unknownPaths: AuthNeed;
  /** Absent: pages of other origins can't read the answers. */
  readonly cors?: CorsOptions;
  /** Absent: errors are never HTML pages. */
  readonly errorPage?: ErrorPage | undefined;
  readonly bodyLimits: BodyLimits;
  /** Number of trusted proxies in front, for `X-Forwarded-For`. */
  readonly trustProxy: number;
  readonly logger: Logger;
  readonly requestLog: RequestLog;
  /** Absent: every request gets a log line. */
  readonly onlyErrors?: OnlyErrors | undefined;
  /** Absent: no spans are made. */
  readonly tracing?: Tracing | undefined;
  readonly metrics: Pick<Metrics, "requestObserved" | "authFailed">;
}

export const createApp = (options: AppOptions): Express => {
  const app = express();
  app.set("env", "production");
  app.set("trust proxy", options.trustProxy);
  app.set("query parser", false);
  app.disable("x-powered-by");

  app.use(callOpener(options));
  if (options.tracing !== undefined) app.use(traced(options.tracing));
  app.use(firstHeaders(options.cors));
  for (const rows of rowsByPath(options.routes).values()) mount(app, rows, options.guard);
  app.use(unknownPath(options.guard, options.unknownPaths));
  app.use(
    errorResponder({
      metrics: options.metrics,
      settleUnreadBody: (response) => {
        settleUnreadBody(response, options.bodyLimits);
      },
      page: options.errorPage,
    }),
  );
  return app;
};

/** The rows of each path, in the order of the first row of the path. */
type Rows = [Route, ...Route[]];

const rowsByPath = (routes: readonly Route[]): ReadonlyMap<string, Rows> => {
  const byPath = new Map<string, Rows>();
  for (const route of routes) {
    const rows = byPath.get(route.path);
    if (rows === undefined) byPath.set(route.path, [route]);
    else rows.push(route);
  }
  return byPath;
};

const REGISTER = {
  GET: "get",
  POST: "post",
  PUT: "put",
  PATCH: "patch",
  DELETE: "delete",
  OPTIONS: "options",
  ALL: "all",
} as const satisfies Record<Method, string>;

const mount = (app: Express, rows: Rows, guard: Guard): void => {
  const path = app.route(rows[0].path);
  for (const row of rows) path[REGISTER[row.method]](guarded(row, guard));
  path.all(methodNotAllowed(rows));
};

const methodNotAllowed = (rows: Rows): RequestHandler => {
  const methods = new Set<string>(rows.map((row) => row.method));
  if (methods.has("GET")) methods.add("HEAD");
  const headers = { Allow: [...methods.add("OPTIONS")].join(", ") };
  return (request, response, next) => {
    if (request.method === "OPTIONS") {
      next();
      return;
    }
    enterRoute(response, rows[0]);
    throw new GatewayError("METHOD_NOT_ALLOWED", { headers });
  };
};

const STATION_PATH = /^\/stations\//i;
const CONNECT_PATH = /^\/connector(s|-plugins)(\/|$)/i;

/** Unknown paths below those of Kafka Connect's API have the error shape of Kafka Connect. */
const connectUnknown = (): GatewayError =>
  new GatewayError("ROUTE_UNKNOWN", { message: "HTTP 404 Not Found" });

const unknownPath =
  (guard: Guard, need: AuthNeed): RequestHandler =>
  async (request, response) => {
    if (request.method === "OPTIONS") {
      answerPreflight(request, response);
      return;
    }
    const call = callOf(response);
    // A call without a credential gets the 401 of the Memphis API for every unknown path.
    if (need !== "admin") call.family = "stations";
    else if (CONNECT_PATH.test(request.path)) call.family = "connect";
    await guardOnly(call, need, guard);
    if (call.family === "connect") throw connectUnknown();
    if (!STATION_PATH.test(request.path)) call.family = "problem";
    throw new GatewayError("ROUTE_UNKNOWN");
  };
