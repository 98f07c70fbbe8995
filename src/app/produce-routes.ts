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
import type { Rates } from "../ingest/limits.ts";
import { createWebhooks, type Webhooks } from "../ingest/webhooks/webhooks.ts";
import type { AppContext } from "./context.ts";
import { contentLimitsOf, type Ingest } from "./wire-ingest.ts";

interface ProduceParts {
  readonly ingest: Ingest;
  /** undefined: no client can read with a group. */
  readonly home: Home | undefined;
  readonly rates: Rates;
  readonly formats: StreamFormats;
  readonly live: LiveCalls<Principal>;
  readonly readBody: ReadBody;
  readonly authenticate: Authenticate;
  readonly eventStreams: EventStreams;
  /** Aborted when the listeners close: streams end then. */
  readonly stopping: AbortSignal;
}

export const produceRoutes = (context: AppContext, parts: ProduceParts): readonly Route[] => {
  const { settings, broker, decoder, clock } = context;
  const { ingest, home, rates, formats, live, readBody, authenticate, eventStreams, stopping } = parts;
  const { limits, restProxy, server, autoCreateStations: autoCreate } = settings;
  const reading = home && { home, clock, live, answerMax: settings.reading.answerMax, stopping };
  const shared = {
    ...ingest,
    intake: createIntake({ ...ingest, rates }),
    readBody,
    contentLimits: contentLimitsOf(server),
    maxEvents: limits.eventsPerCall,
    callWindow: settings.once.callWindow,
    countCall: callCounter(rates),
    streams: { limits: streamLimitsOf(restProxy), clock, live, stopping },
  };
  return [
    ...stationRoutes({
      ...{ ...shared, reading, decoder, formats },
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
    ...webhookRoutes({ ...shared, webhooks: openWebhooks(context, ingest) }),
  ];
};

const streamLimitsOf = ({
  idleTimeout,
  maxStreamAge: maxAge,
  maxUnanswered,
  maxUnansweredBytes,
}: Settings["restProxy"]) => ({ idleTimeout, maxAge, maxUnanswered, maxUnansweredBytes });

/** Creates the webhook sources of the settings. Throws SETTINGS_INVALID if a source lacks a setting that its scheme needs. */
const openWebhooks = ({ settings, metrics, clock }: AppContext, ingest: Ingest): Webhooks =>
  createWebhooks({
    ...ingest,
    contentLimits: contentLimitsOf(settings.server),
    declared: settings.webhooks.map((declared) => ({ secrets: [], ...declared })),
    clock,
    refused: (source) => {
      metrics.webhookRefused(source);
    },
  });
