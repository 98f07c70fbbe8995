/** The routes of Kafka Connect's API for the worker itself: its health and its loggers. */
import { GatewayError, asGatewayError } from "../../../errors.ts";
import type { Health } from "../../../observability/health.ts";
import { LEVELS, type Level, type LogLevels } from "../../../observability/logger/levels.ts";
import type { Call } from "../../call.ts";
import * as documentation from "./documentation.ts";
import type { ReadBody } from "../../middleware/body/body.ts";
import { sendJson } from "../../respond.ts";
import type { OpenRoute } from "../../routes.ts";
import { pathParameter, queryOf } from "../../url.ts";
import { readJson } from "../connectors/bodies.ts";

interface WorkerDependencies {
  readonly health: Pick<Health, "ready">;
  /** Returns false until the gateway has read the connectors. */
  readonly hasStarted: () => boolean;
  readonly levels: Pick<LogLevels, "names" | "of" | "canSet">;
  /** Each connector has the logger `delivery.<name>`. */
  readonly connectorNames: () => Promise<readonly string[]>;
  /** Sets the level in all workers of this gateway. */
  readonly setLevel: (logger: string, level: Level) => Promise<void>;
  readonly readBody: ReadBody;
}

type Loggers = Omit<WorkerDependencies, "health">;

const healthRoute = ({ health, hasStarted }: WorkerDependencies): OpenRoute => ({
  method: "GET",
  path: "/health",
  documentation: documentation.health,
  auth: "none",
  family: "connect",
  quiet: true,
  handler: async ({ response }) => {
    if (!hasStarted()) {
      sendJson(response, 503, { status: "starting", message: "Worker is still starting up." });
      return;
    }
    try {
      await health.ready();
      const message = "Worker has completed startup and is ready to handle requests.";
      sendJson(response, 200, { status: "healthy", message });
    } catch (error) {
      const message = `Worker was unable to handle this request and may be unable to handle other requests: ${asGatewayError(error).message}`;
      sendJson(response, 500, { status: "unhealthy", message });
    }
  },
});

const namesOf = async ({ levels, hasStarted, connectorNames }: Loggers): Promise<readonly string[]> => {
  const connectors = hasStarted() ? await connectorNames() : [];
  return [...new Set([...levels.names, ...connectors.map((name) => `delivery.${name}`)])].sort();
};

const show = async (loggers: Loggers, call: Call): Promise<void> => {
  const logger = pathParameter(call.request, "logger");
  if (!(await namesOf(loggers)).includes(logger)) {
    throw new GatewayError("CONNECTOR_UNKNOWN", { message: `Logger ${logger} not found.` });
  }
  sendJson(call.response, 200, loggers.levels.of(logger));
};

const levelIn = (body: unknown): Level => {
  const { success, data } = documentation.levelSchema.safeParse(body);
  if (!success || data.level === undefined || data.level === null) {
    throw new GatewayError("REQUEST_INVALID", {
      message: "Desired 'level' parameter was not specified in request.",
    });
  }
  const wanted = String(data.level);
  const known = LEVELS.find((level) => level === wanted.toUpperCase());
  if (known === undefined) {
    throw new GatewayError("CONNECTOR_UNKNOWN", { message: `invalid log level '${wanted.slice(0, 100)}'.` });
  }
  return known;
};

const change = async (loggers: Loggers, call: Call): Promise<void> => {
  const logger = pathParameter(call.request, "logger");
  const level = levelIn(await readJson(call.request, loggers.readBody));
  if (!loggers.levels.canSet(logger)) {
    throw new GatewayError("REQUEST_INVALID", {
      message:
        "The level of this logger can't be set: its name is too long, or too many loggers have their own level",
    });
  }
  await loggers.setLevel(logger, level);
  if (queryOf(call.request).get("scope") === "cluster") {
    call.response.statusCode = 204;
    call.response.end();
  } else sendJson(call.response, 200, [logger]);
};

export const workerRoutes = (dependencies: WorkerDependencies): readonly OpenRoute[] => {
  const row = { auth: "admin", family: "connect" } as const;
  const path = "/admin/loggers";
  return [
    healthRoute(dependencies),
    {
      ...{ ...row, method: "GET", path, documentation: documentation.listLoggers },
      handler: async ({ response }) => {
        const names = await namesOf(dependencies);
        const states = names.map((name) => [name, dependencies.levels.of(name)] as const);
        sendJson(response, 200, Object.fromEntries(states));
      },
    },
    {
      ...{ ...row, method: "GET", path: `${path}/:logger`, documentation: documentation.showLogger },
      handler: (call) => show(dependencies, call),
    },
    {
      ...{ ...row, method: "PUT", path: `${path}/:logger`, documentation: documentation.setLogger },
      ...{ role: "operator", audit: "log.level" },
      handler: (call) => change(dependencies, call),
    },
  ];
};
