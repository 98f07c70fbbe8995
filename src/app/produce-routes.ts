/** All routes for producing, webhooks included. All count against the same rates. */
import type { Authenticate } from "../auth/authenticator.ts";
import type { Settings } from "../config/schema/schema.ts";
import type { EventStreams } from "../consume/stream/streams.ts";
import type { Home } from "../home/home.ts";
import { restProxyRoutes } from "../http/handlers/rest-proxy/routes.ts";
import { beaconRoute } from "../http/handlers/stations/beacon.ts";
import { stationRoutes } from "../http/handlers/stations/routes.ts";
import { webhookRoutes } from "../http/handlers/webhooks/routes.ts";
import { callCounter, createIntake } from "../http/intake.ts";
import type { ReadBody } from "../http/middleware/body/body.ts";
import type { Route } from "../http/routes.ts";
import { createIdempotency } from "../ingest/idempotency.ts";
import type { Rates } from "../ingest/limits.ts";
import { createRemembered } from "../ingest/remembered.ts";
import { createWebhooks, type Webhooks } from "../ingest/webhooks/webhooks.ts";
import type { MemoryBudget } from "../lib/memory-budget.ts";
import type { AppContext } from "./context.ts";
import { contentLimitsOf, type Ingest } from "./wire-ingest.ts";

interface ProduceParts {
  readonly ingest: Ingest;
  /** undefined: no client can read with a group. */
  readonly home: Home | undefined;
  readonly rates: Rates;
  readonly readBody: ReadBody;
  readonly authenticate: Authenticate;
  readonly eventStreams: EventStreams;
  /** Aborted when the listeners close: streams end then. */
  readonly stopping: AbortSignal;
}

/** Milliseconds for which the outcome of a call with an Idempotency-Key is remembered. */
const IDEMPOTENCY_WINDOW = 86_400_000;

export const produceRoutes = (context: AppContext, parts: ProduceParts): readonly Route[] => {
  const { settings, broker, decoder, memory, clock } = context;
  const { ingest, home, rates, readBody, authenticate, eventStreams, stopping } = parts;
  const { limits, restProxy, server, autoCreateStations: autoCreate } = settings;
  const reading = home && { home, clock, answerMax: settings.reading.answerMax, stopping };
  // Two separate halves, so that calls don't evict the ids of webhooks.
  const remembered = (): MemoryBudget => memory.part(Math.floor(limits.remembered / 2));
  const idempotency = createIdempotency({
    windowMs: IDEMPOTENCY_WINDOW,
    remembered: createRemembered({ budget: remembered(), now: () => performance.now() }),
  });
  const shared = {
    ...ingest,
    intake: createIntake({ ...ingest, rates }),
    readBody,
    contentLimits: contentLimitsOf(server),
    maxEvents: limits.eventsPerCall,
    countCall: callCounter(rates),
    streams: { limits: streamLimitsOf(restProxy), clock, stopping },
  };
  return [
    ...stationRoutes({
      ...{ ...shared, reading, idempotency, decoder },
      eventStreams,
      sources: new Map(settings.webhooks.map(({ source, station }) => [source, station])),
    }),
    beaconRoute({ ...shared, authenticate }),
    ...restProxyRoutes({
      ...shared,
      broker,
      listed: { declared: ingest.stations.declared, autoCreate, broker },
      maxEntries: limits.recordsPerCall,
      maxHeaders: limits.recordHeaders,
      alwaysStatus200: restProxy.alwaysStatus200,
      instances: reading && {
        ...reading,
        baseUri: restProxy.baseUri,
        requestTimeout: restProxy.consumerRequestTimeout,
        hasRegistry: decoder !== undefined,
      },
    }),
    ...webhookRoutes({ ...shared, webhooks: openWebhooks(context, ingest, remembered()) }),
  ];
};

const streamLimitsOf = ({
  idleTimeout,
  maxStreamAge: maxAge,
  maxUnanswered,
  maxUnansweredBytes,
}: Settings["restProxy"]) => ({ idleTimeout, maxAge, maxUnanswered, maxUnansweredBytes });

/**
 * Creates the webhook sources of the settings. `remembered` is the memory for the ids of webhooks. Throws
 * SETTINGS_INVALID if a source lacks a setting that its scheme needs.
 */
const openWebhooks = (
  { settings, log, metrics, clock }: AppContext,
  ingest: Ingest,
  remembered: MemoryBudget,
): Webhooks => {
  for (const { source, scheme } of settings.webhooks) {
    if (scheme === "none") log.logger.warn({ source }, "this webhook source accepts events from anyone");
  }
  return createWebhooks({
    ...ingest,
    contentLimits: contentLimitsOf(settings.server),
    declared: settings.webhooks.map((declared) => ({ secrets: [], ...declared })),
    clock,
    remembered: createRemembered({ budget: remembered, now: () => clock.now() }),
    refused: (source) => {
      metrics.webhookRefused(source);
    },
  });
};
