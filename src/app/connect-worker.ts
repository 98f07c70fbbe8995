/** The worker's own routes of Kafka Connect's API, and levels of loggers that all processes of this program share. */
import type { Settings } from "../config/schema/schema.ts";
import { workerRoutes } from "../http/handlers/connect-worker/routes.ts";
import type { BodyReaders } from "../http/middleware/body/body.ts";
import type { Route } from "../http/routes.ts";
import type { Health } from "../observability/health.ts";
import type { LogLevels } from "../observability/logger/levels.ts";
import type { StartedDelivery } from "./wire-delivery.ts";
import type { LevelChange, Questions } from "./questions.ts";

interface ConnectWorkerDependencies {
  readonly settings: Settings;
  readonly readers: BodyReaders;
  readonly health: Health;
  readonly levels: LogLevels;
  readonly questions: Questions;
  /** undefined: this process delivers nothing. */
  readonly delivery: StartedDelivery | undefined;
}

export const connectWorkerRoutes = (dependencies: ConnectWorkerDependencies): readonly Route[] => {
  const { settings, readers, health, levels, questions, delivery } = dependencies;
  const { server } = settings;
  questions.answerWith({
    logLevel: (about) => {
      const { logger, level, at } = JSON.parse(about) as LevelChange;
      levels.set(logger, level, at);
      return true;
    },
  });
  return workerRoutes({
    health,
    levels,
    hasStarted: delivery?.hasStarted ?? (() => true),
    connectorNames: delivery?.connectorNames ?? (() => Promise.resolve([])),
    setLevel: async (logger, level) => {
      const change: LevelChange = { logger, level, at: Date.now() };
      await questions.askAll("logLevel", JSON.stringify(change));
    },
    readBody: readers({ maxBytes: server.bodyLimit, timeoutMs: server.requestTimeout }),
  });
};
