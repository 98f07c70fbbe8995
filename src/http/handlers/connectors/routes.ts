/** `/connectors` on the operators' listener: Kafka Connect's REST API. */
import type { Role } from "../../../auth/operators/operator.ts";
import type { Connectors } from "../../../delivery/connectors/connectors.ts";
import type { Target } from "../../../delivery/connectors/connector-log-view.ts";
import { definitionsOf } from "../../../delivery/connectors/validation.ts";
import { GatewayError } from "../../../errors.ts";
import type { AuditAction } from "../../../observability/audit.ts";
import type { Call } from "../../call.ts";
import type { Documentation } from "../../documentation.ts";
import * as documentation from "./documentation.ts";
import * as insight from "./insight-documentation.ts";
import * as plugins from "./plugin-documentation.ts";
import type { ReadBody } from "../../middleware/body/body.ts";
import { sendJson } from "../../respond.ts";
import type { Method, OpenRoute } from "../../routes.ts";
import { pathOf, pathParameter, queryOf } from "../../url.ts";
import { readConfig, readCreation, readOffsets, readPatch, readPluginConfig } from "./bodies.ts";

export interface ConnectorRouteDependencies {
  readonly connectors: Connectors;
  readonly readBody: ReadBody;
  /** Version of the gateway. */
  readonly version: string;
}

type Handler = OpenRoute["handler"];

const route = (method: Method, path: string, documentation: Documentation, handler: Handler): OpenRoute => ({
  method,
  path,
  documentation,
  family: "connect",
  auth: "admin",
  handler,
});

/** `route` with the least role and the audit action of a route that changes something. */
const changing =
  (audit: AuditAction, role: Role) =>
  (...row: Parameters<typeof route>): OpenRoute => ({ ...route(...row), audit, role });

const change = changing("connector.change", "admin");

const nameOf = (call: Call): string => pathParameter(call.request, "name");

/** The name of a connector to create. Throws CONNECTOR_CONFIG_INVALID if the path is not percent-encoded UTF-8. */
const newNameOf = (call: Call): string => {
  try {
    decodeURIComponent(pathOf(call.request.originalUrl));
  } catch {
    const message = "The connector name in the URL must be percent-encoded UTF-8";
    throw new GatewayError("CONNECTOR_CONFIG_INVALID", { message });
  }
  return nameOf(call);
};

/** `?flag` means the same as `?flag=true`. */
const isSet = (call: Call, flag: string): boolean => {
  const value = queryOf(call.request).get(flag);
  return value === "" || value?.toLowerCase() === "true";
};

const sendNothing = ({ response }: Call, status: number): void => {
  response.statusCode = status;
  response.end();
};

const setLocation = ({ response }: Call, name: string): void => {
  response.setHeader("Location", `/connectors/${encodeURIComponent(name)}`);
};

const unknownTask = (message: string): GatewayError => new GatewayError("CONNECTOR_UNKNOWN", { message });

const pluginRoutes = ({
  connectors,
  readBody,
  version,
}: ConnectorRouteDependencies): readonly OpenRoute[] => [
  route("GET", "/connector-plugins", plugins.listPlugins, (call) => {
    const which =
      queryOf(call.request).get("connectorsOnly")?.toLowerCase() === "false" ? "all" : "connectors";
    sendJson(
      call.response,
      200,
      connectors.plugins(which).map((plugin) => ({ ...plugin, version })),
    );
  }),
  route("GET", "/connector-plugins/:class/config", plugins.showPluginConfig, (call) => {
    const wanted = pathParameter(call.request, "class");
    const definitions = definitionsOf(wanted);
    if (definitions === undefined)
      throw new GatewayError("CONNECTOR_UNKNOWN", { message: `Unknown plugin ${wanted}.` });
    sendJson(call.response, 200, definitions);
  }),
  {
    ...route("PUT", "/connector-plugins/:class/config/validate", plugins.validateConfig, async (call) => {
      const config = await readPluginConfig(call.request, readBody);
      sendJson(call.response, 200, connectors.report(pathParameter(call.request, "class"), config));
    }),
    role: "viewer",
  },
];

const list = async (connectors: Connectors, call: Call): Promise<unknown> => {
  const wanted = queryOf(call.request).getAll("expand");
  const names = await connectors.names();
  if (wanted.length === 0) return names;
  const expand = async (name: string): Promise<[string, object]> => [
    name,
    {
      ...(wanted.includes("status") && { status: await connectors.status(name) }),
      ...(wanted.includes("info") && { info: await connectors.info(name) }),
      // Kafka Connect has no origin. Connectors with the origin "file" are read-only.
      ...(wanted.includes("origin") && { origin: await connectors.origin(name) }),
    },
  ];
  return Object.fromEntries(await Promise.all(names.map(expand)));
};

const definitionRoutes = ({ connectors, readBody }: ConnectorRouteDependencies): readonly OpenRoute[] => {
  const configure: Handler = async (call) => {
    const name = newNameOf(call);
    const config = await readConfig(call.request, readBody, name);
    const { created, changed, info } = await connectors.configure(name, config);
    call.audited.changed = changed;
    if (created) {
      call.audited.action = "connector.create";
      setLocation(call, name);
    }
    sendJson(call.response, created ? 201 : 200, info);
  };
  return [
    route("GET", "/connectors", documentation.listConnectors, async (call) => {
      sendJson(call.response, 200, await list(connectors, call));
    }),
    changing("connector.create", "admin")(
      "POST",
      "/connectors",
      documentation.createConnector,
      async (call) => {
        const { name, config, target } = await readCreation(call.request, readBody);
        call.audited.target = name;
        const info = await connectors.create(name, config, target);
        call.audited.changed = Object.keys(config);
        setLocation(call, name);
        sendJson(call.response, 201, info);
      },
    ),
    route("GET", "/connectors/:name", documentation.showConnector, async (call) => {
      sendJson(call.response, 200, await connectors.info(nameOf(call)));
    }),
    change("PUT", "/connectors/:name", documentation.putConnector, configure),
    changing("connector.delete", "admin")(
      "DELETE",
      "/connectors/:name",
      documentation.deleteConnector,
      async (call) => {
        await connectors.remove(nameOf(call));
        sendNothing(call, 204);
      },
    ),
    route("GET", "/connectors/:name/config", documentation.showConfig, async (call) => {
      sendJson(call.response, 200, await connectors.config(nameOf(call)));
    }),
    change("PUT", "/connectors/:name/config", documentation.putConfig, configure),
    change("PATCH", "/connectors/:name/config", documentation.patchConfig, async (call) => {
      const name = nameOf(call);
      const { changed, info } = await connectors.patch(name, await readPatch(call.request, readBody, name));
      call.audited.changed = changed;
      sendJson(call.response, 200, info);
    }),
  ];
};

const taskOf = (call: Call): string => pathParameter(call.request, "task");

const taskRoutes = ({ connectors }: ConnectorRouteDependencies): readonly OpenRoute[] => {
  const findTask = async (call: Call) => {
    const { tasks } = await connectors.status(nameOf(call));
    return tasks.find(({ id }) => String(id) === taskOf(call));
  };
  return [
    route("GET", "/connectors/:name/status", documentation.showStatus, async (call) => {
      sendJson(call.response, 200, await connectors.status(nameOf(call)));
    }),
    route("GET", "/connectors/:name/tasks", documentation.listTasks, async (call) => {
      sendJson(call.response, 200, await connectors.tasks(nameOf(call)));
    }),
    route("GET", "/connectors/:name/tasks/:task/status", documentation.showTaskStatus, async (call) => {
      const task = await findTask(call);
      if (task === undefined) throw unknownTask(`No status found for task ${nameOf(call)}-${taskOf(call)}`);
      sendJson(call.response, 200, task);
    }),
    changing("connector.restart", "operator")(
      "POST",
      "/connectors/:name/tasks/:task/restart",
      documentation.restartTask,
      async (call) => {
        if ((await findTask(call)) === undefined)
          throw unknownTask(`Unknown task: ${nameOf(call)}-${taskOf(call)}`);
        await connectors.restart(nameOf(call), { onlyFailed: false });
        sendNothing(call, 204);
      },
    ),
  ];
};

const stateRoutes = ({ connectors }: ConnectorRouteDependencies): readonly OpenRoute[] => {
  const retarget =
    (target: Target, status: number): Handler =>
    async (call) => {
      await connectors.retarget(nameOf(call), target);
      sendNothing(call, status);
    };
  const [pause, resume, stop] = [retarget("PAUSED", 202), retarget("RUNNING", 202), retarget("STOPPED", 204)];
  const restart: Handler = async (call) => {
    const status = await connectors.restart(nameOf(call), { onlyFailed: isSet(call, "onlyFailed") });
    if (isSet(call, "includeTasks")) sendJson(call.response, 202, status);
    else sendNothing(call, 204);
  };
  const path = "/connectors/:name";
  // The documentation of the Auckland sink pauses and resumes by GET.
  const byGet = (row: OpenRoute): OpenRoute => ({ ...row, changes: true });
  const pausing = changing("connector.pause", "operator");
  const resuming = changing("connector.resume", "operator");
  return [
    byGet(pausing("GET", `${path}/pause`, documentation.pauseByGet, pause)),
    pausing("PUT", `${path}/pause`, documentation.pause, pause),
    byGet(resuming("GET", `${path}/resume`, documentation.resumeByGet, resume)),
    resuming("PUT", `${path}/resume`, documentation.resume, resume),
    changing("connector.stop", "operator")("PUT", `${path}/stop`, documentation.stop, stop),
    changing("connector.restart", "operator")("POST", `${path}/restart`, documentation.restart, restart),
  ];
};

const offsetRoutes = ({ connectors, readBody }: ConnectorRouteDependencies): readonly OpenRoute[] => {
  const path = "/connectors/:name/offsets";
  return [
    route("GET", path, documentation.showOffsets, async (call) => {
      sendJson(call.response, 200, await connectors.offsets(nameOf(call)));
    }),
    changing("connector.offsets", "operator")("PATCH", path, documentation.alterOffsets, async (call) => {
      await connectors.alterOffsets(nameOf(call), await readOffsets(call.request, readBody));
      sendJson(call.response, 200, {
        message: "The offsets for this connector have been altered successfully",
      });
    }),
    changing("connector.offsets", "operator")("DELETE", path, documentation.resetOffsets, async (call) => {
      await connectors.resetOffsets(nameOf(call));
      sendJson(call.response, 200, {
        message: "The offsets for this connector have been reset successfully",
      });
    }),
  ];
};

const topicRoutes = ({ connectors }: ConnectorRouteDependencies): readonly OpenRoute[] => [
  route("GET", "/connectors/:name/topics", documentation.showTopics, async (call) => {
    const name = nameOf(call);
    sendJson(call.response, 200, { [name]: { topics: await connectors.topics(name) } });
  }),
  changing("connector.topics", "operator")(
    "PUT",
    "/connectors/:name/topics/reset",
    documentation.resetTopics,
    async (call) => {
      await connectors.resetTopics(nameOf(call));
      sendNothing(call, 202);
    },
  ),
];

/** Kafka Connect has no such routes. */
const deadLetterRoutes = ({ connectors }: ConnectorRouteDependencies): readonly OpenRoute[] => [
  route("GET", "/connectors/:name/dead-letters", insight.showDeadLetters, async (call) => {
    sendJson(call.response, 200, await connectors.deadLetters(nameOf(call)));
  }),
  changing("connector.replay", "operator")(
    "POST",
    "/connectors/:name/dead-letters/replay",
    insight.replayDeadLetters,
    async (call) => {
      sendJson(call.response, 202, await connectors.replayDeadLetters(nameOf(call)));
    },
  ),
];

export const connectorRoutes = (dependencies: ConnectorRouteDependencies): readonly OpenRoute[] => [
  ...pluginRoutes(dependencies),
  ...definitionRoutes(dependencies),
  ...taskRoutes(dependencies),
  ...stateRoutes(dependencies),
  ...offsetRoutes(dependencies),
  ...topicRoutes(dependencies),
  ...deadLetterRoutes(dependencies),
];
