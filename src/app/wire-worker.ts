/** The worker routes of Kafka Connect's API. */
import { workerRoutes } from "../http/handlers/connect-worker/routes.ts";
import type { Route } from "../http/routes.ts";
import type { LastingContext } from "./context.ts";
import type { LevelChange } from "./questions.ts";
import type { StartedDelivery } from "./wire-delivery.ts";

/**
 * A change of a log level applies to all processes of this program. `delivery` is undefined if this process has no delivery role.
 */
export const connectWorkerRoutes = (
  { inUse, readers, health, log: { levels }, questions }: LastingContext,
  delivery: StartedDelivery | undefined,
): readonly Route[] => {
  const { server } = inUse.now.settings;
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
