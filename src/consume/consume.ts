/** Consuming by request. Each combination of group, consumer and topic has a group member, which is kept between pulls. */
import { asGatewayError, GatewayError } from "../errors.ts";
import type { MemoryBudget } from "../lib/memory-budget.ts";
import { createPullConsumer, type PullConsumer, type PullConsumerOptions } from "./pull-consumer.ts";
import { createReaderMemory } from "./reader-memory.ts";
import type { Pull, PullRequest } from "./waiting-pull.ts";

export interface PullConsumers {
  /**
   * Rejects with BROKER_UNAVAILABLE, with SHUTTING_DOWN after `close`, and with OVERLOADED at the limit of memory, of members
   * or of the owner's waiting calls. Above `maxMembers`, the owner with the most members loses its longest idle member.
   */
  pull(request: PullRequest): Promise<Pull>;
  /** Ends waiting pulls with the records that they have. Resolves when all answers are settled and the groups are left. */
  close(): Promise<void>;
}

export interface PullConsumersOptions extends Pick<PullConsumerOptions, "broker" | "clock" | "toText"> {
  /** Milliseconds without a pull after which a member leaves its group, because another process may have a waiting call. */
  readonly idleMs: number;
  /** Maximum milliseconds that a pull waits for an assignment. */
  readonly joinMs: number;
  readonly maxMembers: number;
  /** Maximum number of pulls of one owner that wait at the same time. */
  readonly maxPullsPerOwner: number;
  /** Memory for the events that all members buffer. */
  readonly memory: MemoryBudget;
  /** Called for faults from which the members recover by themselves. */
  readonly onError: (error: GatewayError) => void;
}

export const createPullConsumers = (options: PullConsumersOptions): PullConsumers => {
  const { maxMembers, clock } = options;
  const memory = createReaderMemory(options.memory, clock);
  const consumers = new Map<string, PullConsumer>();
  const leaving = new Set<PullConsumer>();
  const waiting = createCounter(options.maxPullsPerOwner);
  let closing: Promise<unknown> | undefined;

  const limitMembers = (): void => {
    if (consumers.size < maxMembers) return;
    const ended = longestIdleOfLargest([...consumers.values()]);
    if (ended === undefined || leaving.size >= maxMembers) throw new GatewayError("OVERLOADED");
    void ended.close();
  };

  const consumerFor = (request: PullRequest): PullConsumer => {
    const key = JSON.stringify([request.group, request.consumer, request.topic]);
    const known = consumers.get(key);
    if (known !== undefined) return known;
    limitMembers();
    const consumer: PullConsumer = createPullConsumer({
      ...options,
      ...request,
      memory,
      onLeaving: () => {
        if (consumers.get(key) !== consumer) return;
        consumers.delete(key);
        leaving.add(consumer);
      },
      onLeft: () => leaving.delete(consumer),
    });
    consumers.set(key, consumer);
    return consumer;
  };

  return {
    pull: async (request) => {
      if (closing !== undefined) throw new GatewayError("SHUTTING_DOWN");
      const done = waiting.begin(request.owner);
      try {
        return await consumerFor(request).pull(request);
      } catch (error) {
        throw asGatewayError(error);
      } finally {
        done();
      }
    },
    close: async () => {
      closing ??= Promise.all([...consumers.values(), ...leaving].map((consumer) => consumer.close()));
      await closing;
    },
  };
};

/** undefined: no member is idle. */
const longestIdleOfLargest = (consumers: readonly PullConsumer[]): PullConsumer | undefined => {
  const sizes = new Map<string, number>();
  for (const { owner } of consumers) sizes.set(owner, (sizes.get(owner) ?? 0) + 1);
  const rank = ({ owner, idleSince = 0 }: PullConsumer): readonly [number, number] => [
    sizes.get(owner) ?? 0,
    -idleSince,
  ];
  return consumers
    .filter(({ idleSince }) => idleSince !== undefined)
    .reduce<PullConsumer | undefined>((best, one) => {
      if (best === undefined) return one;
      const [[size, idle], [bestSize, bestIdle]] = [rank(one), rank(best)];
      return size > bestSize || (size === bestSize && idle > bestIdle) ? one : best;
    }, undefined);
};

interface Counter {
  /** Throws OVERLOADED above the limit. The caller must call the returned function when the pull is over. */
  begin(owner: string): () => void;
}

const createCounter = (max: number): Counter => {
  const counts = new Map<string, number>();
  return {
    begin: (owner) => {
      const count = counts.get(owner) ?? 0;
      if (count >= max)
        throw new GatewayError("OVERLOADED", {
          message: `${max} calls of this principal wait for events already`,
        });
      counts.set(owner, count + 1);
      return () => {
        const left = (counts.get(owner) ?? 1) - 1;
        if (left > 0) counts.set(owner, left);
        else counts.delete(owner);
      };
    },
  };
};
