/** Reading by request: `consume/batch` on the readers' groups of a home. Each group and topic has a consumer, kept between pulls. */
import { asGatewayError, GatewayError } from "../errors.ts";
import type { MemoryBudget } from "../lib/memory-budget.ts";
import { createPullConsumer, type PullConsumer, type PullConsumerOptions } from "./pull-consumer.ts";
import type { GroupUse, ReaderGroup } from "./reader-group.ts";
import { createReaderMemory, type ReaderMemory } from "./reader-memory.ts";
import type { Pull, PullRequest } from "./waiting-pull.ts";

/** What pulls need of a `ReaderGroup`. */
export type PullGroup = Pick<ReaderGroup, "claim" | "release" | "reader" | "isHeld">;

export interface PullConsumers {
  /**
   * Rejects with BROKER_UNAVAILABLE, with SLOT_MOVED after `close`, with GROUP_IN_USE, and with OVERLOADED at the limit of
   * memory, of groups or of the owner's waiting calls.
   */
  pull(group: PullGroup, request: PullRequest): Promise<Pull>;
  /** Fails the group's waiting pulls with SLOT_MOVED. Records of answers can still be consumed while the reader leaves. */
  close(group: PullGroup): void;
}

export interface PullConsumersOptions extends Pick<
  PullConsumerOptions,
  "clock" | "toEvent" | "idleMs" | "maxBufferedBytes" | "onError" | "onCommitFailed"
> {
  /** Maximum number of pulls of one owner that wait at the same time. */
  readonly maxPullsPerOwner: number;
  /** Memory for the events that all groups buffer. */
  readonly memory: MemoryBudget;
}

export const createPullConsumers = (options: PullConsumersOptions): PullConsumers => {
  const memory = createReaderMemory(options.memory, options.clock);
  const waiting = createCounter(options.maxPullsPerOwner);
  const groups = new Map<PullGroup, GroupPulls>();

  const pullsOf = (group: PullGroup, owner: string): GroupPulls => {
    const known = groups.get(group);
    if (known !== undefined) return known;
    const created = new GroupPulls({
      ...options,
      ...{ group, owner, memory },
      onEnd: () => groups.delete(group),
    });
    group.claim(created);
    groups.set(group, created);
    return created;
  };

  return {
    pull: async (group, request) => {
      const done = waiting.begin(request.owner);
      try {
        return await pullsOf(group, request.owner).consumer(request).pull(request);
      } catch (error) {
        throw asGatewayError(error);
      } finally {
        done();
      }
    },
    close: (group) => {
      groups.get(group)?.close();
    },
  };
};

interface GroupPullsOptions extends Omit<PullConsumersOptions, "memory" | "maxPullsPerOwner"> {
  readonly group: PullGroup;
  readonly owner: string;
  readonly memory: ReaderMemory;
  /** The group is not used any more. */
  readonly onEnd: () => void;
}

/** The consumers of one group. */
class GroupPulls implements GroupUse {
  readonly kind = "batch";
  readonly #options: GroupPullsOptions;
  readonly #consumers = new Map<string, PullConsumer>();

  constructor(options: GroupPullsOptions) {
    this.#options = options;
  }

  get owner(): string {
    return this.#options.owner;
  }

  get idleSince(): number | undefined {
    let newest = 0;
    for (const { idleSince } of this.#consumers.values()) {
      if (idleSince === undefined) return undefined;
      newest = Math.max(newest, idleSince);
    }
    return newest;
  }

  /** The consumer of the request's topic. Creates a missing consumer. */
  consumer({ topic, from }: PullRequest): PullConsumer {
    const known = this.#consumers.get(topic);
    if (known !== undefined) return known;
    const consumer: PullConsumer = createPullConsumer({
      ...this.#options,
      ...{ topic, from },
      onIdle: () => {
        this.#consumers.delete(topic);
        if (this.#consumers.size === 0) this.end();
        void consumer.close(moved());
      },
    });
    this.#consumers.set(topic, consumer);
    return consumer;
  }

  /** The group is idle: the member leaves it. */
  readonly end = (): void => {
    const { group } = this.#options;
    this.close();
    group.release(this);
  };

  close(): void {
    this.#options.onEnd();
    for (const consumer of this.#consumers.values()) void consumer.close(moved());
  }
}

const moved = (): GatewayError => new GatewayError("SLOT_MOVED");

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
