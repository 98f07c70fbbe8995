/** Positions of groups that have no members: found at the start of a feed, stored, and kept from being forgotten. */
import type { Broker, TopicPartitionOffset, Watermarks } from "../../broker/broker.ts";
import { asGatewayError, GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { createSemaphore } from "../../lib/semaphore.ts";
import { feedId, type Cursor, type Feed, type Follower } from "./feed.ts";

/** Where a follower begins. */
type Start = Pick<Cursor, "next" | "stored">;

export interface Positions {
  /** By `feedId`. Tries until the broker answers, or `isWanted` says no more. */
  load(
    follower: Follower,
    feeds: readonly Feed[],
    isWanted: () => boolean,
  ): Promise<ReadonlyMap<string, Start>>;
  /** Rejects as `Subscription.commit` does. */
  store(follower: Follower, positions: readonly TopicPartitionOffset[]): Promise<void>;
  close(): void;
}

export interface PositionsOptions {
  readonly broker: Pick<Broker, "committed" | "setCommitted" | "watermarks">;
  readonly clock: Clock;
  /** By `feedId`: what is ours. */
  readonly feeds: ReadonlyMap<string, Feed>;
  readonly onError: (error: GatewayError) => void;
}

const AGAIN_MS = 1000;

/** Questions on their way: the time that each has for its answer shall not go by in a queue. */
const AT_ONCE = 64;

/**
 * Kafka forgets the positions of a group without members a week after they were stored, unless it is told otherwise,
 * and on a quiet topic none are stored.
 */
const REFRESH_MS = 12 * 60 * 60 * 1000;

/** Calls for one key at one time share an answer. */
const coalesced = <T>(ask: (key: string) => Promise<T>): ((key: string) => Promise<T>) => {
  const asking = new Map<string, Promise<T>>();
  return (key) => {
    const answer = asking.get(key) ?? ask(key).finally(() => asking.delete(key));
    asking.set(key, answer);
    return answer;
  };
};

/** The stored position while there are such records, else the end of the partition that the follower asks for. */
const startOf = (from: Follower["from"], stored: bigint | undefined, { low, high }: Watermarks): Start =>
  stored !== undefined && stored >= low && stored <= high
    ? { next: stored, stored }
    : { next: from === "earliest" ? low : high, stored: undefined };

const createLoad = ({ broker, clock, onError }: PositionsOptions): Positions["load"] => {
  const watermarks = coalesced((topic) => broker.watermarks(topic));
  const semaphore = createSemaphore({ permits: AT_ONCE, maxWaiting: Infinity });
  /** However many followers failed at once, it is told once. */
  const pause = coalesced(() => new Promise<void>((resolve) => clock.after(AGAIN_MS, resolve)));
  let failed: Promise<void> | undefined;

  const startsIn = async ({ group, from }: Follower, topic: string) => {
    const committed = await semaphore.tryRun(() => broker.committed(group, topic));
    if (committed === undefined) throw new GatewayError("OVERLOADED");
    const storedIn = new Map(committed.map(({ partition, offset }) => [partition, offset]));
    // Asked for after the positions: none that is sound lies behind them.
    const marks = await watermarks(topic);
    return marks.map((mark): [string, Start] => [
      feedId({ topic, partition: mark.partition }),
      startOf(from, storedIn.get(mark.partition), mark),
    ]);
  };

  const starts = async (follower: Follower, feeds: readonly Feed[]) => {
    const topics = [...new Set(feeds.map(({ topic }) => topic))];
    const found = new Map((await Promise.all(topics.map((topic) => startsIn(follower, topic)))).flat());
    if (feeds.every((feed) => found.has(feedId(feed)))) return found;
    throw new GatewayError("BROKER_UNAVAILABLE", { message: "A partition's end can't be told" });
  };

  return async (follower, feeds, isWanted) => {
    while (isWanted()) {
      try {
        return await starts(follower, feeds);
      } catch (error) {
        const pausing = pause("");
        if (failed !== pausing) onError(asGatewayError(error));
        failed = pausing;
        await pausing;
      }
    }
    return new Map();
  };
};

export const createPositions = (options: PositionsOptions): Positions => {
  const { broker, clock, feeds, onError } = options;

  const store: Positions["store"] = async (follower, positions) => {
    const moved = positions.map(({ offset, ...partition }) => ({
      cursor: feeds.get(feedId(partition))?.cursors.get(follower),
      offset,
    }));
    if (!moved.every(({ cursor }) => cursor !== undefined)) {
      throw new GatewayError("BROKER_UNAVAILABLE", { message: "The partition is another process's now" });
    }
    await broker.setCommitted(follower.group, positions);
    for (const { cursor, offset } of moved) if (cursor !== undefined) cursor.stored = offset;
  };

  /** One group after the other: there is no hurry. */
  const refresh = async (): Promise<void> => {
    for (const { topic, partition, cursors } of feeds.values()) {
      for (const [{ group }, { stored }] of cursors) {
        if (stored !== undefined) await broker.setCommitted(group, [{ topic, partition, offset: stored }]);
      }
    }
  };

  const refreshLater = (): (() => void) =>
    clock.after(REFRESH_MS, () => {
      cancel = refreshLater();
      refresh().catch((error: unknown) => {
        onError(asGatewayError(error));
      });
    });
  let cancel = refreshLater();

  return {
    load: createLoad(options),
    store,
    close: () => {
      cancel();
    },
  };
};
