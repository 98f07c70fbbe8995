/** The delivery plan of a connector, made of its model. */
import type { DeliveryPlan, Endpoint } from "../engine/delivery-plan.ts";
import { ORDER_KEYS } from "../engine/ordering.ts";
import type { Decoding } from "./decoding.ts";
import { type Expressions, NO_EXPRESSIONS } from "../expressions/expressions.ts";
import type { ConnectorModel } from "./model.ts";
import { admissionOf, preparationOf } from "./preparation.ts";
import { batchingOf, requestsOf } from "./requests.ts";

/** Consumer group of a sink connector, named as in Kafka Connect. */
export const groupOf = (connector: string): string => `connect-${connector}`;

const requestsIn = ({
  name,
  request,
  batch,
}: ConnectorModel): Pick<DeliveryPlan, "batching"> & Pick<Endpoint, "render"> => {
  if ("prepare" in request)
    return { render: (record, now) => request.render([record], now), batching: request.batching };
  const requests = requestsOf(name, request);
  return { render: requests.one, batching: batch && batchingOf(requests, batch) };
};

/** Throws CONNECTOR_CONFIG_INVALID if the connector decodes and there is no registry. */
export const planOf = (
  model: ConnectorModel,
  decoding: Decoding,
  expressions: Expressions = NO_EXPRESSIONS,
): DeliveryPlan => {
  const { render, batching } = requestsIn(model);
  return {
    name: model.name,
    group: groupOf(model.name),
    topics: model.topics,
    startAt: model.startAt,
    endpoint: { admit: admissionOf(model), render, classify: model.classify },
    preparation: preparationOf(model, decoding, expressions),
    batching,
    strategy: model.strategy,
    orderKeyOf: ORDER_KEYS[model.ordering],
    inFlight: model.concurrency * model.tasksMax,
    delayMs: model.delayMs,
    jitter: model.jitter,
    maxRetryAfterMs: model.maxRetryAfterMs,
    ratePerSecond: model.ratePerSecond,
    deadLetterTopic: model.deadLetterTopic,
    deadLetterForm: model.deadLetterForm,
    hasLettersOfDeliveries: model.hasLettersOfDeliveries,
    reports: model.reports,
    connectTimeoutMs: model.connectTimeoutMs,
    readTimeoutMs: model.readTimeoutMs,
    checkCertificate: model.checkCertificate,
    transport: model.transport,
  };
};
