/** The delivery plans of the event service: one for the business server, and one for each client. */
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

/** Waits between the three attempts of a client callback, in milliseconds. Then the event is dead-lettered. */
const CLIENT_WAITS = [1000, 2000];

/** Waits between attempts, in milliseconds. The last wait repeats. */
const BUSINESS_SERVER_WAITS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300].map((seconds) => seconds * 1000);

const CONNECT_TIMEOUT_MS = 10_000;

/** The same as in the Anchor Platform. */
const READ_TIMEOUT_MS = 600_000;

/** Maximum numbers of requests in flight. Each request is for another transaction, quote or customer. */
const BUSINESS_SERVER_IN_FLIGHT = 16;
const CLIENT_IN_FLIGHT = 4;

/** The group whose members share the partitions for all clients. */
export const CLIENTS_LEADER = "group-client-status-callback";

/** Events of one transaction, quote or customer keep their order. Events without an id keep the order of their partition. */
const subjectKeyBy =
  (read: ReadEvent): OrderKeyOf =>
  (record) => {
    const event = read(record);
    if ("broken" in event || event.subjectId === undefined) return ORDER_KEYS.partition(record);
    return `${event.subject}\0${event.subjectId}`;
  };

/** The dead-letter topic of the event service, by the topic of its events. */
export const deadLetterTopicOf = (topic: string): string => `${topic}.dead-letter`;

const commonOf = (topic: string, read: ReadEvent) => ({
  topics: { names: [topic] },
  orderKeyOf: subjectKeyBy(read),
  delayMs: 0,
  jitter: 0,
  maxRetryAfterMs: 0,
  ratePerSecond: undefined,
  deadLetterTopic: deadLetterTopicOf(topic),
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
  inFlight: BUSINESS_SERVER_IN_FLIGHT,
  checkCertificate: server.checkCertificate,
});

/** The client's group: named by the client's list, as in the Anchor Platform. `earlier`: its name in earlier Stationgates. */
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
  inFlight: CLIENT_IN_FLIGHT,
});
