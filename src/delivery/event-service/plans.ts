/** The event service as the engine runs it: a plan for the business server, and one for each client. */
import type { KeyObject } from "node:crypto";
import type { DeliveryPlan } from "../delivery-plan.ts";
import { createBusinessServer, type BusinessServerOptions } from "../endpoints/business-server.ts";
import { createClientCallback } from "../endpoints/client-callback.ts";
import { LANES, type LaneOf } from "../ordering.ts";
import { progressBackOffDropMessage } from "../strategy/progress-back-off-drop-message.ts";
import { retryForEver } from "../strategy/retry-for-ever.ts";
import type { CallbackClient } from "./callback-client.ts";
import type { ReadEvent } from "./event.ts";

/** Milliseconds after a failed attempt of a client's, of which there are three; then the event is a dead letter. */
const CLIENT_WAITS = [1000, 2000];

/** The last one repeats. */
const BUSINESS_SERVER_WAITS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300].map((seconds) => seconds * 1000);

const TIMEOUT_MS = 10_000;

/** Requests at once, each for another transaction. */
const TO_BUSINESS_SERVER = 16;
const TO_CLIENT = 4;

export const CLIENTS_LEADER = "group-client-status-callback";

/** Events of one transaction, quote or customer keep their order; where they don't say whose they are, all do. */
const laneBy =
  (read: ReadEvent): LaneOf =>
  (record) => {
    const event = read(record);
    if ("broken" in event || event.subjectId === undefined) return LANES.partition(record);
    return `${event.subject}\0${event.subjectId}`;
  };

const commonOf = (topic: string, read: ReadEvent) => ({
  topics: { names: [topic] },
  laneOf: laneBy(read),
  delayMs: 0,
  jitter: 0,
  maxRetryAfterMs: 0,
  ratePerSecond: undefined,
  deadLetterTopic: `${topic}.dead-letter`,
  connectTimeoutMs: TIMEOUT_MS,
  readTimeoutMs: TIMEOUT_MS,
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

export const clientPlan = (
  topic: string,
  client: { readonly client: CallbackClient; readonly key: KeyObject; readonly read: ReadEvent },
): DeliveryPlan => ({
  ...commonOf(topic, client.read),
  name: `event-service/client/${client.client.name}`,
  group: `${CLIENTS_LEADER}-${client.client.name}`,
  endpoint: createClientCallback(client),
  strategy: progressBackOffDropMessage({ retry: CLIENT_WAITS, down: [] }),
  inFlight: TO_CLIENT,
});
