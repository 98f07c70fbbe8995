/** The event service as the engine runs it: a plan for the business server, and one for each client. */
import type { DeliveryPlan } from "../engine/delivery-plan.ts";
import {
  type BusinessServerOptions,
  type ClientCallbackOptions,
  createBusinessServer,
  createClientCallback,
} from "./callbacks.ts";
import { ORDER_KEYS, type OrderKeyOf } from "../engine/ordering.ts";
import { progressBackOffDropMessage, retryForEver } from "../engine/strategy.ts";
import { listOf, type CallbackClient } from "./callback-client.ts";
import type { ReadEvent } from "./event.ts";

/** Milliseconds after a failed attempt of a client's, of which there are three; then the event is a dead letter. */
const CLIENT_WAITS = [1000, 2000];

/** The last one repeats. */
const BUSINESS_SERVER_WAITS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300].map((seconds) => seconds * 1000);

const CONNECT_TIMEOUT_MS = 10_000;

/** As long as the Anchor Platform waits for an answer. */
const READ_TIMEOUT_MS = 600_000;

/** Requests at once, each for another transaction. */
const TO_BUSINESS_SERVER = 16;
const TO_CLIENT = 4;

export const CLIENTS_LEADER = "group-client-status-callback";

/** Events of one transaction, quote or customer keep their order; where they don't say whose they are, all do. */
const laneBy =
  (read: ReadEvent): OrderKeyOf =>
  (record) => {
    const event = read(record);
    if ("broken" in event || event.subjectId === undefined) return ORDER_KEYS.partition(record);
    return `${event.subject}\0${event.subjectId}`;
  };

const commonOf = (topic: string, read: ReadEvent) => ({
  topics: { names: [topic] },
  orderKeyOf: laneBy(read),
  delayMs: 0,
  jitter: 0,
  maxRetryAfterMs: 0,
  ratePerSecond: undefined,
  deadLetterTopic: `${topic}.dead-letter`,
  connectTimeoutMs: CONNECT_TIMEOUT_MS,
  readTimeoutMs: READ_TIMEOUT_MS,
});

export interface BusinessServerPlan extends BusinessServerOptions {
  readonly checkCertificate: boolean;
}

export const businessServerPlan = (topic: string, server: BusinessServerPlan): DeliveryPlan => ({
  ...commonOf(topic, server.read),
  name: "event-service/callback-api",
  group: "group-callback-api",
  endpoint: createBusinessServer(server),
  strategy: retryForEver(BUSINESS_SERVER_WAITS),
  inFlight: TO_BUSINESS_SERVER,
  checkCertificate: server.checkCertificate,
});

/** Groups of one client: the Anchor Platform's, named by the client's list, and that of an earlier Stationgate, by its name. */
export const groupsOf = (client: CallbackClient): { readonly group: string; readonly earlier: string } => ({
  group: `${CLIENTS_LEADER}-${listOf(client)}`,
  earlier: `${CLIENTS_LEADER}-${client.name}`,
});

export const clientPlan = (topic: string, options: ClientCallbackOptions): DeliveryPlan => ({
  ...commonOf(topic, options.read),
  name: `event-service/client/${options.client.name}`,
  group: groupsOf(options.client).group,
  endpoint: createClientCallback(options),
  strategy: progressBackOffDropMessage({ retry: CLIENT_WAITS, down: [] }),
  inFlight: TO_CLIENT,
});
