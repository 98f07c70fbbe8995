/** The delivery plan of a connector. */
import type { ConnectorSettings } from "./connector-config.ts";
import type { DeliveryPlan } from "../engine/delivery-plan.ts";
import { createHttpSink } from "./http-sink.ts";
import { ORDER_KEYS } from "../engine/ordering.ts";
import { STRATEGIES } from "../engine/strategy.ts";

/** Consumer group of a sink connector, named as in Kafka Connect. */
export const groupOf = (connector: string): string => `connect-${connector}`;

export const planOf = (settings: ConnectorSettings): DeliveryPlan => ({
  name: settings.name,
  group: groupOf(settings.name),
  topics: settings.topics,
  endpoint: createHttpSink(settings),
  strategy: STRATEGIES[settings.strategy](settings.schedules),
  orderKeyOf: ORDER_KEYS[settings.ordering],
  inFlight: settings.concurrency * settings.tasksMax,
  delayMs: settings.delayMs,
  jitter: settings.jitter,
  maxRetryAfterMs: settings.maxRetryAfterMs,
  ratePerSecond: settings.ratePerSecond,
  deadLetterTopic: settings.deadLetterTopic,
  connectTimeoutMs: settings.connectTimeoutMs,
  readTimeoutMs: settings.readTimeoutMs,
});
