/** Positions of groups that have no members: found at the start of a feed, stored, and kept from being forgotten. */
import { partitionId } from "../../broker/partitions.ts";
import type { Broker, GroupPosition, Watermarks } from "../../broker/broker.ts";
import { asGatewayError, GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { createSemaphore } from "../../lib/semaphore.ts";
import { type Cursor, type Feed, type Follower } from "../engine/feed.ts";

/** Where a follower begins. */
type Start = Pick<Cursor, "next" | "stored" | "mayGoBack">;

export interface Positions {
  /** By `partitionId`. Tries until the broker answers, or `isWanted` says no more. */
  load(
    follower: Follower,
    feeds: readonly Feed[],
    isWanted: () => boolean,
  ): Promise<ReadonlyMap<string, Start>>;
  /**
   * Stores the positions that a follower begins at. false: that isn't possible now, and the follower must not begin, for what
   * it finished would be sent again after a crash. Kafka refuses while a member of the group is there, also one that was
   * killed, until its session is over.
   */
  take(follower: Follower, feeds: readonly Feed[], starts: ReadonlyMap<string, Start>): Promise<boolean>;
  /** Rejects as `Subscription.commit` does. A position that is lower than the stored one is left out. */
  store(follower: Follower, positions: readonly GroupPosition[]): Promise<void>;
  close(): void;
}

export interface PositionsOptions {
  readonly broker: Pick<Broker, "committed" | "setCommitted" | "watermarks">;
  readonly clock: Clock;
  /** By `partitionId`: what is ours. */
  readonly feeds: ReadonlyMap<string, Feed>;
  /** Of the member that holds the feeds, as in `Subscription`. */
  readonly silence: () => number;
  readonly onError: (error: GatewayError) => void;
}

/**
 * Kafka takes a position without a member from everybody. A process stores one only while it has heard from its own group
 * less than half a session ago: then no other process has been given the partition.
 */
const MOST_SILENCE = 0.5;

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

/** A process that was frozen in the middle of its commit may set a position back once it goes on: it is looked for. */
const CHECK_MS = 60_000;

/** The stored position while there are such records, else the end of the partition that the follower asks for. */
const startOf = (
  from: Follower["from"],
  stored: GroupPosition | undefined,
  { low, high }: Watermarks,
): Start =>
  stored !== undefined && stored.offset >= low && stored.offset <= high
    ? { next: stored.offset, stored, mayGoBack: false }
    : { next: from === "earliest" ? low : high, stored: undefined, mayGoBack: stored !== undefined };

const createLoad = ({ broker, clock, onError }: PositionsOptions): Positions["load"] => {
  const watermarks = coalesced((topic) => broker.watermarks(topic));
  const semaphore = createSemaphore({ permits: AT_ONCE, maxWaiting: Infinity });
  /** However many followers failed at once, it is told once. */
  const pause = coalesced(() => new Promise<void>((resolve) => clock.after(AGAIN_MS, resolve)));
  let failed: Promise<void> | undefined;

  const startsIn = async ({ group, from }: Follower, topic: string) => {
    const committed = await semaphore.tryRun(() => broker.committed(group, topic));
    if (committed === undefined) throw new GatewayError("OVERLOADED");
    const storedIn = new Map(committed.map((position) => [position.partition, position]));
    // Asked for after the positions: none that is sound lies behind them.
    const marks = await watermarks(topic);
    return marks.map((mark): [string, Start] => [
      partitionId({ topic, partition: mark.partition }),
      startOf(from, storedIn.get(mark.partition), mark),
    ]);
  };

  const starts = async (follower: Follower, feeds: readonly Feed[]) => {
    const topics = [...new Set(feeds.map(({ topic }) => topic))];
    const found = new Map((await Promise.all(topics.map((topic) => startsIn(follower, topic)))).flat());
    if (feeds.every((feed) => found.has(partitionId(feed)))) return found;
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

const hasMembers = ({ group }: Follower, cause: GatewayError): GatewayError =>
  cause.code === "REQUEST_INVALID"
    ? new GatewayError("REQUEST_INVALID", {
        message: `The group ${group} still has members: its client gets events once they have left or their session is over. Stop the program that reads in this group`,
        cause,
      })
    : cause;

const createTake =
  ({ broker, silence, onError }: PositionsOptions): Positions["take"] =>
  async (follower, feeds, starts) => {
    const positions = feeds.flatMap((feed): GroupPosition[] => {
      const start = starts.get(partitionId(feed));
      if (start === undefined || start.mayGoBack) return [];
      return [start.stored ?? { topic: feed.topic, partition: feed.partition, offset: start.next }];
    });
    try {
      await broker.setCommitted(
        follower.group,
        positions,
        ({ offset }, stored) => silence() < MOST_SILENCE && (stored === undefined || stored <= offset),
      );
      return true;
    } catch (error) {
      onError(hasMembers(follower, asGatewayError(error)));
      return false;
    }
  };

/** The holder's position is written again where a lower one is stored, and where it was stored long ago. */
const createRefresh = ({ broker, clock, feeds, silence, onError }: PositionsOptions): (() => void) => {
  let written = clock.now();

  /** One group after the other: there is no hurry. */
  const refresh = async (isOld: boolean): Promise<void> => {
    for (const { cursors } of feeds.values()) {
      for (const [{ group }, { stored }] of cursors) {
        if (stored === undefined) continue;
        await broker.setCommitted(group, [stored], ({ offset }, now) => {
          if (silence() >= MOST_SILENCE) return false;
          return now === undefined || now < offset || (isOld && now === offset);
        });
      }
    }
  };

  const check = (): void => {
    const isOld = clock.now() - written >= REFRESH_MS;
    if (isOld) written = clock.now();
    cancel = clock.after(CHECK_MS, check);
    refresh(isOld).catch((error: unknown) => {
      onError(asGatewayError(error));
    });
  };
  let cancel = clock.after(CHECK_MS, check);
  return () => {
    cancel();
  };
};

const lost = (): GatewayError =>
  new GatewayError("BROKER_UNAVAILABLE", { message: "The partition is another process's now" });

export const createPositions = (options: PositionsOptions): Positions => {
  const { broker, feeds, silence } = options;

  const store: Positions["store"] = async (follower, positions) => {
    const cursorOf = (position: GroupPosition): Cursor | undefined =>
      feeds.get(partitionId(position))?.cursors.get(follower);
    const cursors = positions.map(cursorOf);
    if (!cursors.every((cursor) => cursor !== undefined)) throw lost();
    const refused: GroupPosition[] = [];
    await broker.setCommitted(follower.group, positions, (position, stored) => {
      if (silence() >= MOST_SILENCE) refused.push(position);
      const mayGoBack = cursorOf(position)?.mayGoBack === true;
      return refused.length === 0 && (stored === undefined || stored <= position.offset || mayGoBack);
    });
    if (refused.length > 0) throw lost();
    positions.forEach((stored, index) => Object.assign(cursors[index] ?? {}, { stored, mayGoBack: false }));
  };

  return { load: createLoad(options), take: createTake(options), store, close: createRefresh(options) };
};
