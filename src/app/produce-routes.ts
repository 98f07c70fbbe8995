/** All routes for producing, webhooks included. All count against the same rates. */
import type { Authenticate } from "../auth/authenticator.ts";
import type { Principal } from "../auth/principal.ts";
import type { Settings } from "../config/schema/schema.ts";
import type { EventStreams } from "../consume/stream/streams.ts";
import type { Home } from "../home/home.ts";
import { restProxyRoutes } from "../http/handlers/rest-proxy/routes.ts";
import type { StreamFormats } from "../http/handlers/stations/consume-stream.ts";
import { beaconRoute } from "../http/handlers/stations/beacon.ts";
import { stationRoutes } from "../http/handlers/stations/routes.ts";
import { webhookRoutes } from "../http/handlers/webhooks/routes.ts";
import { callCounter, createIntake } from "../http/intake.ts";
import type { LiveCalls } from "../http/live-calls.ts";
import type { ReadBody } from "../http/middleware/body/body.ts";
import type { Route } from "../http/routes.ts";
import { createIdempotency } from "../ingest/idempotency.ts";
import type { Rates } from "../ingest/limits.ts";
import type { EventOutcome } from "../ingest/produce.ts";
import { createRemembered, type Remembered } from "../ingest/remembered.ts";
import type { WebhookAnswer } from "../ingest/webhooks/webhook.ts";
import { createWebhooks, type Webhooks } from "../ingest/webhooks/webhooks.ts";
import type { MemoryBudget } from "../lib/memory-budget.ts";
import type { AppContext, LastingContext } from "./context.ts";
import { contentLimitsOf, type Ingest } from "./wire-ingest.ts";

interface ProduceParts {
  readonly ingest: Ingest;
  /** undefined: no client can read with a group. */
  readonly home: Home | undefined;
  readonly rates: Rates;
  readonly remembered: RememberedCalls;
  readonly formats: StreamFormats;
  readonly live: LiveCalls<Principal>;
  readonly readBody: ReadBody;
  readonly authenticate: Authenticate;
  readonly eventStreams: EventStreams;
  /** Aborted when the listeners close: streams end then. */
  readonly stopping: AbortSignal;
}

/** Milliseconds for which the outcome of a call with an Idempotency-Key is remembered. */
const IDEMPOTENCY_WINDOW = 86_400_000;

/** Calls that all generations remember. */
export interface RememberedCalls {
  readonly idempotent: Remembered<readonly EventOutcome[]>;
  /** Stored deliveries of webhooks. */
  readonly webhooks: Remembered<WebhookAnswer>;
}

/** Two separate halves of `limits.remembered`, so that calls don't evict the ids of webhooks. */
export const openRemembered = ({ inUse, memory, clock }: LastingContext): RememberedCalls => {
  const half = (): MemoryBudget => memory.part(() => Math.floor(inUse.now.settings.limits.remembered / 2));
  return {
    idempotent: createRemembered({ budget: half(), now: () => performance.now() }),
    webhooks: createRemembered({ budget: half(), now: () => clock.now() }),
  };
};

export const produceRoutes = (context: AppContext, parts: ProduceParts): readonly Route[] => {
  const { settings, broker, decoder, clock } = context;
  const { ingest, home, rates, remembered, formats, live, readBody, authenticate, eventStreams, stopping } =
    parts;
  const { limits, restProxy, server, autoCreateStations: autoCreate } = settings;
  const reading = home && { home, clock, live, answerMax: settings.reading.answerMax, stopping };
  const idempotency = createIdempotency({ windowMs: IDEMPOTENCY_WINDOW, remembered: remembered.idempotent });
  const shared = {
    ...ingest,
    intake: createIntake({ ...ingest, rates }),
    readBody,
    contentLimits: contentLimitsOf(server),
    maxEvents: limits.eventsPerCall,
    countCall: callCounter(rates),
    streams: { limits: streamLimitsOf(restProxy), clock, live, stopping },
  };
  return [
    ...stationRoutes({
      ...{ ...shared, reading, idempotency, decoder, formats },
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
    ...webhookRoutes({ ...shared, webhooks: openWebhooks(context, ingest, remembered.webhooks) }),
  ];
};

const streamLimitsOf = ({
  idleTimeout,
  maxStreamAge: maxAge,
  maxUnanswered,
  maxUnansweredBytes,
}: Settings["restProxy"]) => ({ idleTimeout, maxAge, maxUnanswered, maxUnansweredBytes });

/** Creates the webhook sources of the settings. Throws SETTINGS_INVALID if a source lacks a setting that its scheme needs. */
const openWebhooks = (
  { settings, metrics, clock }: AppContext,
  ingest: Ingest,
  remembered: RememberedCalls["webhooks"],
): Webhooks =>
  createWebhooks({
    ...ingest,
    contentLimits: contentLimitsOf(settings.server),
    declared: settings.webhooks.map((declared) => ({ secrets: [], ...declared })),
    clock,
    remembered,
    refused: (source) => {
      metrics.webhookRefused(source);
    },
  });
