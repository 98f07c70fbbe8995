/** Consuming by request: each group, consumer and topic has a member of the group, which lives between its pulls. */
import { asGatewayError, GatewayError } from "../errors.ts";
import type { MemoryBudget } from "../lib/memory-budget.ts";
import { createPullConsumer, type PullConsumer, type PullConsumerOptions } from "./pull-consumer.ts";
import { createReaderMemory } from "./reader-memory.ts";
import type { Pull, PullRequest } from "./waiting-pull.ts";

export interface PullConsumers {
  /**
   * Rejects with BROKER_UNAVAILABLE, with SHUTTING_DOWN after `close`, and with OVERLOADED where memory, members or the
   * owner's calls are used up. Beyond `maxMembers` the longest idle member of the owner that has the most is ended.
   */
  pull(request: PullRequest): Promise<Pull>;
  /** Pulls that wait are ended with what they have; resolves once every answer's fate is known and the groups are left. */
  close(): Promise<void>;
}

export interface PullConsumersOptions extends Pick<PullConsumerOptions, "broker" | "clock" | "toText"> {
  /** Milliseconds without a pull after which a member leaves its group: another process may have a call that waits. */
  readonly idleMs: number;
  /** How long a pull waits, at most, to be given partitions. */
  readonly joinMs: number;
  readonly maxMembers: number;
  /** Pulls of one owner that wait at the same time. */
  readonly maxPullsPerOwner: number;
  /** For the events that all members hold. */
  readonly memory: MemoryBudget;
  /** Faults that consuming goes on from by itself. */
  readonly onError: (error: GatewayError) => void;
}

export const createPullConsumers = (options: PullConsumersOptions): PullConsumers => {
  const { maxMembers, clock } = options;
  const memory = createReaderMemory(options.memory, clock);
  const consumers = new Map<string, PullConsumer>();
  const leaving = new Set<PullConsumer>();
  const waiting = createCounter(options.maxPullsPerOwner);
  let closing: Promise<unknown> | undefined;

  const makeRoom = (): void => {
    if (consumers.size < maxMembers) return;
    const ended = longestIdleOfLargest([...consumers.values()]);
    if (ended === undefined || leaving.size >= maxMembers) throw new GatewayError("OVERLOADED");
    void ended.close();
  };

  const consumerFor = (request: PullRequest): PullConsumer => {
    const key = JSON.stringify([request.group, request.consumer, request.topic]);
    const known = consumers.get(key);
    if (known !== undefined) return known;
    makeRoom();
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

/** undefined: none is idle. */
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
  /** Throws OVERLOADED beyond the bound. Call what it returns when the call is over. */
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
