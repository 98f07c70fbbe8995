/** The delivery role: connectors, their observation and their routes on the operators' listener. */
import { hostname } from "node:os";
import { environmentVariable } from "../config/environment.ts";
import type { Settings } from "../config/schema/schema.ts";
import { VERSION } from "../config/version.ts";
import { createDelivery, type Delivery } from "../delivery/connectors/connector-delivery.ts";
import type { Decoding } from "../delivery/connectors/decoding.ts";
import type { Expressions } from "../delivery/expressions/expressions.ts";
import { startChild } from "../delivery/expressions/transform/child-process.ts";
import { createSandbox } from "../delivery/expressions/transform/sandbox.ts";
import { createRecentFailures, newestOf, observeDeliveries } from "../delivery/engine/observer.ts";
import { connectorInsightRoutes } from "../http/handlers/connectors/insight.ts";
import { connectorRoutes } from "../http/handlers/connectors/routes.ts";
import type { Route } from "../http/routes.ts";
import { startEventService } from "./wire-event-service.ts";
import type { DecodingInUse, LastingContext } from "./context.ts";
import { auditTopicOf } from "./wire-ingest.ts";
import { eventsRoleOf } from "./wire-pages.ts";

export interface StartedDelivery {
  readonly routes: readonly Route[];
  /** true: the stored connectors are loaded. */
  readonly hasStarted: () => boolean;
  readonly connectorNames: () => Promise<readonly string[]>;
  readonly heldFrom: Delivery["heldFrom"];
  /** Takes the declared connectors and the allowed targets of these settings into use. */
  readonly use: (settings: Settings) => void;
}

/** Each connector has a logger of its own. */
const observe = ({ log: { levels, unfiltered }, metrics }: LastingContext) =>
  observeDeliveries({
    logger: unfiltered,
    isLogged: (connector, level) => levels.isEnabled(`delivery.${connector}`, level),
    metrics,
  });

const decodingOf = (
  { metrics, log: { levels, unfiltered } }: LastingContext,
  { decoder }: DecodingInUse,
): Decoding => ({
  get decoder() {
    return decoder();
  },
  onUndecodable: ({ connector, record: { topic, partition, offset }, reason, effect }) => {
    metrics.recordUndecodable(connector);
    const level = effect === "stop" ? "error" : "warn";
    if (!levels.isEnabled(`delivery.${connector}`, level)) return;
    const place = { connector, topic, partition, offset: offset.toString() };
    unfiltered[level]({ ...place, reason, failure: effect }, "record can't be decoded");
  },
});

/** Delivery is closed before the sandbox, because it is registered later. */
const expressionsFor = ({ inUse, metrics, lifecycle, clock }: LastingContext): Expressions => {
  const sandbox = createSandbox({ limits: inUse.now.settings.delivery.sandbox, clock, startChild });
  lifecycle.onClose("sandbox", () => {
    sandbox.close();
    return Promise.resolve();
  });
  return {
    sandbox,
    evaluated: (outcome) => {
      metrics.filterEvaluated(outcome);
    },
  };
};

/**
 * Starts delivery, which retries while the broker is unavailable. Rejects with SETTINGS_INVALID for an invalid
 * connector.
 */
export const startDelivery = async (
  context: LastingContext,
  decodingInUse: DecodingInUse,
): Promise<StartedDelivery> => {
  const { inUse, broker, readers, metrics, lifecycle, tracing, questions, clock } = context;
  const { settings } = inUse.now;
  const { admin, server } = settings;
  const observer = observe(context);
  const failures = createRecentFailures(Date.now);
  const delivery = createDelivery({
    broker,
    ...settings.delivery,
    declared: settings.connectors,
    environment: environmentVariable,
    // Unique only with all three parts: workers share the host and the port, and containers on one host can have the same process id.
    workerId: `${hostname()}-${process.pid}:${admin.port}`,
    observer: {
      ...observer,
      attempted: (report) => {
        observer.attempted(report);
        failures.attempted(report);
      },
    },
    tracing,
    decoding: decodingOf(context, decodingInUse),
    expressions: expressionsFor(context),
    auditTopic: () => auditTopicOf(inUse.now.settings)?.name,
    replaysAnywhere: async (name) => (await questions.askAll("replaying", name)).answers.includes(true),
  });
  questions.answerWith({
    failures: (name) => failures.of(name),
    replaying: (name) => delivery.isReplaying(name),
  });
  metrics.deliveriesFrom(() => delivery.sample());
  lifecycle.onClose("delivery", (leftMs) => delivery.close(leftMs));
  void delivery.open();
  await startEventService({ ...context, settings }, observer);
  const routes = connectorRoutes({
    connectors: delivery.connectors,
    readBody: readers({ maxBytes: server.bodyLimit, timeoutMs: server.requestTimeout }),
    version: VERSION,
  });
  const insight = {
    connectors: delivery.connectors,
    failures: async (name: string) => {
      const { answers, missing } = await questions.askAll("failures", name);
      return { newest: newestOf(answers), missing };
    },
    ...{ broker, clock, eventsRole: () => eventsRoleOf(inUse.now.settings) },
  };
  return {
    routes: [...routes, ...connectorInsightRoutes(insight)],
    hasStarted: () => delivery.isOpen,
    connectorNames: () => delivery.connectors.names(),
    heldFrom: (of) => delivery.heldFrom(of),
    use: ({ delivery: { allowTargets, configProviders }, connectors: declared }) => {
      delivery.apply({ allowTargets, configProviders, declared });
    },
  };
};
