/** Consuming by request: each group, consumer and topic has a member of the group, which lives between its pulls. */
import type { Broker } from "../broker/broker.ts";
import { asGatewayError, GatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { createPullConsumer, type PullConsumer } from "./consume/pull-consumer.ts";
import type { Pull, PullRequest } from "./consume/waiting-pull.ts";

export interface PullConsumers {
  /** Rejects with BROKER_UNAVAILABLE, with OVERLOADED beyond `maxMembers`, and with SHUTTING_DOWN after `close`. */
  pull(request: PullRequest): Promise<Pull>;
  /** Pulls that wait are ended with what they have; resolves once every answer's fate is known and the groups are left. */
  close(): Promise<void>;
}

export interface PullConsumersOptions {
  readonly broker: Pick<Broker, "subscribe">;
  readonly clock: Clock;
  /** Milliseconds without a pull after which a member leaves its group. */
  readonly idleMs: number;
  /** How long a pull waits, at most, to be given partitions. */
  readonly joinMs: number;
  readonly maxMembers: number;
  /** Faults that consuming goes on from by itself. */
  readonly onError: (error: GatewayError) => void;
}

export const createPullConsumers = (options: PullConsumersOptions): PullConsumers => {
  const consumers = new Map<string, PullConsumer>();
  let closing: Promise<unknown> | undefined;

  const consumerFor = (request: PullRequest): PullConsumer => {
    const key = JSON.stringify([request.group, request.consumer, request.topic]);
    const known = consumers.get(key);
    if (known !== undefined) return known;
    if (consumers.size >= options.maxMembers) throw new GatewayError("OVERLOADED");
    const consumer = createPullConsumer({
      ...options,
      ...request,
      onLeaving: () => consumers.delete(key),
    });
    consumers.set(key, consumer);
    return consumer;
  };

  return {
    pull: (request) => {
      if (closing !== undefined) return Promise.reject(new GatewayError("SHUTTING_DOWN"));
      try {
        return consumerFor(request).pull(request);
      } catch (error) {
        return Promise.reject(asGatewayError(error));
      }
    },
    close: async () => {
      closing ??= Promise.all([...consumers.values()].map((consumer) => consumer.close()));
      await closing;
    },
  };
};
