/** Every route on which clients produce, and what those routes share: rates, streams, remembered calls. */
import type { Authenticate } from "../auth/authenticator.ts";
import type { Broker } from "../broker/broker.ts";
import type { Settings } from "../config/schema/schema.ts";
import type { PullConsumers } from "../consume/consume.ts";
import { beaconRoute } from "../http/handlers/stations/beacon.ts";
import { restProxyRoutes } from "../http/handlers/rest-proxy/routes.ts";
import { stationRoutes } from "../http/handlers/stations/routes.ts";
import { webhookRoutes } from "../http/handlers/webhooks/routes.ts";
import { callCounter, createIntake } from "../http/intake.ts";
import type { ReadBody } from "../http/middleware/body/body.ts";
import type { Route } from "../http/routes.ts";
import { createIdempotency } from "../ingest/idempotency.ts";
import { createRemembered } from "../ingest/remembered.ts";
import type { Rates } from "../ingest/limits.ts";
import { systemClock } from "../lib/clock.ts";
import type { MemoryBudget } from "../lib/memory-budget.ts";
import type { Logger } from "../observability/logger/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import { maxEventBytesOf, type Ingest, contentLimitsOf } from "./wire-ingest.ts";
import { openWebhooks } from "./wire-webhooks.ts";

export interface ProduceRoutesDependencies {
  readonly settings: Settings;
  readonly ingest: Ingest;
  readonly broker: Broker;
  readonly consumers: PullConsumers;
  readonly rates: Rates;
  /** For remembered answers. */
  readonly memory: MemoryBudget;
  readonly readBody: ReadBody;
  readonly authenticate: Authenticate;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Aborted when streams have to end, because the program does. */
  readonly stopping: AbortSignal;
}

/** How long a call with an Idempotency-Key is remembered, in milliseconds. */
const IDEMPOTENCY_WINDOW = 86_400_000;

export const produceRoutes = (dependencies: ProduceRoutesDependencies): readonly Route[] => {
  const { settings, ingest, broker, consumers, readBody, authenticate } = dependencies;
  const { limits, restProxy, server, autoCreateStations: autoCreate } = settings;
  const { rates, memory } = dependencies;
  // Half of it for each, so that calls don't push out the ids of webhooks.
  const remembered = (): MemoryBudget => memory.part(Math.floor(limits.remembered / 2));
  const idempotency = createIdempotency({
    windowMs: IDEMPOTENCY_WINDOW,
    remembered: createRemembered({ budget: remembered(), now: () => performance.now() }),
  });
  const shared = {
    ...ingest,
    intake: createIntake({ produce: ingest.produce, rates }),
    readBody,
    contentLimits: contentLimitsOf(server),
    maxEvents: limits.eventsPerCall,
    countCall: callCounter(rates),
    maxEventBytes: maxEventBytesOf(settings),
    streams: streamsOf(restProxy, dependencies.stopping),
  };
  return [
    ...stationRoutes({ ...shared, consumers, idempotency }),
    beaconRoute({ ...shared, authenticate }),
    ...restProxyRoutes({
      ...shared,
      broker,
      listed: { declared: ingest.stations.declared, autoCreate, broker },
      maxEntries: limits.recordsPerCall,
      maxHeaders: limits.recordHeaders,
      alwaysStatus200: restProxy.alwaysStatus200,
    }),
    ...webhookRoutes({ ...shared, webhooks: openWebhooks({ ...dependencies, memory: remembered() }) }),
  ];
};

const streamsOf = (
  { idleTimeout, maxStreamAge, maxUnanswered, maxUnansweredBytes }: Settings["restProxy"],
  stopping: AbortSignal,
) => ({
  limits: { idleTimeout, maxAge: maxStreamAge, maxUnanswered, maxUnansweredBytes },
  clock: systemClock,
  stopping,
});
