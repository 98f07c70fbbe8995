/** The event service, put together from settings that are written as the Anchor Platform's. */
import type { Broker } from "../broker/broker.ts";
import type { Settings } from "../config/schema.ts";
import type { CallbackAuth } from "../delivery/endpoints/business-server.ts";
import {
  createEventService,
  type EventService,
  type EventServiceOptions,
} from "../delivery/event-service/event-service.ts";
import { observeDeliveries } from "../delivery/observe.ts";
import { decodeStrkey } from "../lib/strkey.ts";
import type { Logger } from "../observability/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { Tracing } from "../observability/tracing.ts";
import { createEventsBroker } from "./broker.ts";
import { maxRecordBytesOf } from "./ingest.ts";
import type { Lifecycle } from "./lifecycle.ts";

interface EventServiceDependencies {
  readonly settings: Settings;
  /** Holds the events where the settings name no other Kafka for them. */
  readonly broker: Broker;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly lifecycle: Lifecycle;
  readonly tracing: Tracing | undefined;
}

type EventServiceSettings = Settings["eventService"];

const DEFAULT_TTL = 30_000;

const authOf = ({ callback_api: { auth }, secret }: EventServiceSettings): CallbackAuth => {
  const { auth_secret: key = "" } = secret.callback_api;
  if (auth.type === "none") return { type: "none" };
  if (auth.type === "api_key") {
    return {
      type: "api_key",
      header: auth.api_key.http_header ?? auth.http_header ?? "X-Api-Key",
      secret: key,
    };
  }
  return {
    type: "jwt",
    header: auth.jwt.http_header ?? auth.http_header ?? "Authorization",
    secret: key,
    ttl: auth.jwt.expiration_milliseconds ?? auth.expiration_milliseconds ?? DEFAULT_TTL,
  };
};

const businessServerOf = (settings: EventServiceSettings): EventServiceOptions["businessServer"] => {
  const {
    base_url: baseUrl,
    keep_base_path: keepBasePath,
    check_certificate: checkCertificate,
  } = settings.callback_api;
  if (!settings.event_processor.callback_api_request.enabled || baseUrl === undefined) return undefined;
  return { baseUrl, keepBasePath, checkCertificate, auth: authOf(settings) };
};

const clientsOf = ({
  event_processor: processor,
  clients,
  secret,
}: EventServiceSettings): EventServiceOptions["clients"] => {
  const seed = decodeStrkey("seed", secret.sep10.signing_seed ?? "");
  if (!processor.client_status_callback.enabled || seed === undefined) return undefined;
  const list = clients.value.map((client) => ({
    name: client.name,
    domains: client.type === "noncustodial" ? client.domains.map((domain) => domain.toLowerCase()) : [],
    callbackUrls: client.callback_urls,
  }));
  return { list, seed };
};

const start = ({ settings, broker, logger, metrics, tracing }: EventServiceDependencies): EventService =>
  createEventService({
    broker,
    topic: settings.eventService.events.queue.kafka.topic,
    businessServer: businessServerOf(settings.eventService),
    clients: clientsOf(settings.eventService),
    observer: observeDeliveries({ logger, metrics }),
    tracing,
    onBroken: ({ topic, partition, offset }, reason) => {
      logger.warn(
        { topic, partition, offset: offset.toString(), reason },
        "no business event: no client is told",
      );
    },
  });

/** Begins to deliver, where any processor is enabled. */
export const startEventService = async (dependencies: EventServiceDependencies): Promise<void> => {
  const { settings, metrics, lifecycle } = dependencies;
  const processors = Object.values(settings.eventService.event_processor);
  if (!processors.some(({ enabled }) => enabled)) return;
  const own = await createEventsBroker(settings, maxRecordBytesOf(settings));
  if (own !== undefined) {
    await own.open();
    lifecycle.onClose("events broker", () => own.close());
  }
  const service = start({ ...dependencies, broker: own ?? dependencies.broker });
  metrics.deliveriesFrom(() => service.sample());
  lifecycle.onClose("event service", () => service.close());
};
