/** Creates the event service from its settings, which have the names of the Anchor Platform. */
import type { Broker } from "../broker/broker.ts";
import type { Settings } from "../config/schema/schema.ts";
import { clientsIn } from "../config/schema/event-service-settings.ts";
import type { CallbackAuth } from "../delivery/event-service/callbacks.ts";
import {
  createEventService,
  type EventService,
  type EventServiceOptions,
} from "../delivery/event-service/event-service.ts";
import type { MoreInfoOptions } from "../delivery/event-service/more-info-url.ts";
import { deadLetterTopicOf } from "../delivery/event-service/plans.ts";
import type { DeliveryObserver } from "../delivery/engine/observer.ts";
import { decodeStrkey } from "../lib/strkey.ts";
import type { AppContext } from "./context.ts";
import { CLASSIC_INSTEAD, createEventsBroker } from "./wire-broker.ts";
import { maxRecordBytesOf } from "./wire-ingest.ts";

type ServiceContext = Omit<AppContext, "decoder">;
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
    keep_base_path: keepBasePath = false,
    check_certificate: checkCertificate,
  } = settings.callback_api;
  const { enabled } = settings.event_processor.callback_api_request;
  if (!settings.events.enabled || !enabled || baseUrl === undefined) return undefined;
  return { baseUrl, keepBasePath, checkCertificate, auth: authOf(settings) };
};

const clientsOf = (settings: EventServiceSettings): EventServiceOptions["clients"] => {
  const { clients, secret, events } = settings;
  const { enabled, transactions, bodies: form } = settings.event_processor.client_status_callback;
  const seed = decodeStrkey("seed", secret.sep10.signing_seed ?? "");
  if (!events.enabled || !enabled || seed === undefined) return undefined;
  const list = clientsIn(clients).map((client) => ({
    name: client.name,
    domains: client.type === "noncustodial" ? client.domains : [],
    signingKeys: client.type === "custodial" ? client.signing_keys : [],
    callbackUrls: client.callback_urls,
  }));
  const called = list.filter(({ callbackUrls }) =>
    Object.values(callbackUrls).some((url) => url !== undefined),
  );
  if (called.length === 0) return undefined;
  return {
    list: called,
    seed,
    transactions,
    form,
    moreInfo: { "6": moreInfoOf(settings, "sep6"), "24": moreInfoOf(settings, "sep24") },
  };
};

const moreInfoOf = (settings: EventServiceSettings, sep: "sep6" | "sep24"): MoreInfoOptions | undefined => {
  const {
    base_url: baseUrl,
    jwt_expiration: ttlSeconds,
    txn_fields: txnFields,
  } = settings[sep].more_info_url;
  const { jwt_secret: secret } = settings.secret[sep].more_info_url;
  return secret === undefined ? undefined : { baseUrl, ttlSeconds, txnFields, secret };
};

/** `broker` has the topic of the events. */
const start = (
  { settings, log, metrics, tracing }: ServiceContext,
  broker: Broker,
  observer: DeliveryObserver,
): EventService => {
  const logger = log.named("delivery");
  return createEventService({
    broker,
    topic: settings.eventService.events.queue.kafka.topic,
    businessServer: businessServerOf(settings.eventService),
    clients: clientsOf(settings.eventService),
    observer,
    tracing,
    onBroken: ({ topic, partition, offset }, reason) => {
      logger.warn(
        { topic, partition, offset: offset.toString(), reason },
        "the record is not a valid business event; no client gets it",
      );
    },
    onUnowned: () => {
      metrics.transactionUnowned();
    },
  });
};

/** A client or the business server gets callbacks. */
const isUsed = (settings: EventServiceSettings): boolean =>
  businessServerOf(settings) !== undefined || clientsOf(settings) !== undefined;

/** The topic of its dead letters in the gateway's own broker. undefined: it is off, or has a Kafka of its own. */
export const ownDeadLetterTopicOf = ({ roles, eventService }: Settings): string | undefined => {
  const { topic, bootstrap_server: brokers } = eventService.events.queue.kafka;
  const runs = roles.includes("delivery") && isUsed(eventService);
  return runs && brokers === undefined ? deadLetterTopicOf(topic) : undefined;
};

/** Starts the event service if it is used. */
export const startEventService = async (
  context: ServiceContext,
  observer: DeliveryObserver,
): Promise<void> => {
  const { settings, metrics, lifecycle } = context;
  if (!isUsed(settings.eventService)) return;
  const largestRecord = (): number => maxRecordBytesOf(context.inUse.now.settings);
  const own = await createEventsBroker(settings, largestRecord, {
    sasl: context.kafkaSignIn,
    onClassicInstead: () => {
      context.log.named("kafka").warn(CLASSIC_INSTEAD);
    },
  });
  if (own !== undefined) {
    await own.open();
    lifecycle.onClose("events broker", () => own.close());
  }
  const service = start(context, own ?? context.broker, observer);
  metrics.deliveriesFrom(() => service.sample());
  lifecycle.onClose("event service", (leftMs) => service.close(leftMs));
};
