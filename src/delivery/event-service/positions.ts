/** Positions of the followers' groups, which have no members: loads, stores and refreshes them. */
import { partitionId } from "../../broker/partitions.ts";
import type { Broker, GroupPosition, Watermarks } from "../../broker/broker.ts";
import { asGatewayError, GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { createSemaphore } from "../../lib/semaphore.ts";
import { shared } from "../../lib/single-flight.ts";
import { type Cursor, type Feed, type Follower } from "../engine/feed.ts";

/** Start position of a follower. */
type Start = Pick<Cursor, "next" | "stored" | "mayGoBack">;

export interface Positions {
  /** Start positions by `partitionId`. Tries again until the broker answers or `isWanted` returns false. */
  load(
    follower: Follower,
    feeds: readonly Feed[],
    isWanted: () => boolean,
  ): Promise<ReadonlyMap<string, Start>>;
  /**
   * Stores the start positions of a follower. false: they can't be stored now, and the follower must not start, because
   * its finished records would be sent again after a crash. Kafka refuses to store a position while the group has a member,
   * even after the member was killed, until its session has expired.
   */
  take(follower: Follower, feeds: readonly Feed[], starts: ReadonlyMap<string, Start>): Promise<boolean>;
  /** Rejects as `Subscription.commit` does. Never replaces a stored position with a lower one. */
  store(follower: Follower, positions: readonly GroupPosition[]): Promise<void>;
  close(): void;
}

export interface PositionsOptions {
  readonly broker: Pick<Broker, "committed" | "setCommitted" | "watermarks">;
  readonly clock: Clock;
  /** The partitions that are assigned to this process, by `partitionId`. */
  readonly feeds: ReadonlyMap<string, Feed>;
  /** Silence of the leader's member, as in `Subscription`. */
  readonly silence: () => number;
  readonly onError: (error: GatewayError) => void;
}

/**
 * Kafka accepts a position from any process if the group has no members. A process stores a position only if the last
 * contact to its own group was less than half a session ago: until then no other process has the partition.
 */
const MAX_SILENCE = 0.5;

const AGAIN_MS = 1000;

/** Maximum number of requests in flight, so that requests don't time out in the adapter's queue. */
const MAX_IN_FLIGHT = 64;

/**
 * Kafka deletes the positions of a group without members after `offsets.retention.minutes` (default: a week). On a quiet topic
 * they must be stored again.
 */
const REFRESH_MS = 12 * 60 * 60 * 1000;

/** A process that was frozen during its commit may set a position back later. This is the interval of the check for that. */
const CHECK_MS = 60_000;

/** The stored position if it is in the partition, else the beginning or the end of the partition, as `from` says. */
const startOf = (
  from: Follower["from"],
  stored: GroupPosition | undefined,
  { low, high }: Watermarks,
): Start =>
  stored !== undefined && stored.offset >= low && stored.offset <= high
    ? { next: stored.offset, stored, mayGoBack: false }
    : { next: from === "earliest" ? low : high, stored: undefined, mayGoBack: stored !== undefined };

const createLoad = ({ broker, clock, onError }: PositionsOptions): Positions["load"] => {
  const watermarks = shared((topic) => broker.watermarks(topic));
  const semaphore = createSemaphore({ permits: MAX_IN_FLIGHT, maxWaiting: Infinity });
  /** Followers that fail at the same time share one pause and one report. */
  const pause = shared(() => new Promise<void>((resolve) => clock.after(AGAIN_MS, resolve)));
  let failed: Promise<void> | undefined;

  const startsIn = async ({ group, from }: Follower, topic: string) => {
    const committed = await semaphore.tryRun(() => broker.committed(group, topic));
    if (committed === undefined) throw new GatewayError("OVERLOADED");
    const storedIn = new Map(committed.map((position) => [position.partition, position]));
    // Read the watermarks after the positions, so that no valid position is above them.
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
    throw new GatewayError("BROKER_UNAVAILABLE", {
      message: "The broker did not return the end of a partition",
    });
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
        message: `The group ${group} still has members: its client gets events when they have left or their session has expired. Stop the program that reads in this group`,
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
        ({ offset }, stored) => silence() < MAX_SILENCE && (stored === undefined || stored <= offset),
      );
      return true;
    } catch (error) {
      onError(hasMembers(follower, asGatewayError(error)));
      return false;
    }
  };

/** Stores a position again if a lower one is stored, or if it was stored long ago. */
const createRefresh = ({ broker, clock, feeds, silence, onError }: PositionsOptions): (() => void) => {
  let written = clock.now();

  /** Refreshes one group after another; it need not be fast. */
  const refresh = async (isOld: boolean): Promise<void> => {
    for (const { cursors } of feeds.values()) {
      for (const [{ group }, { stored }] of cursors) {
        if (stored === undefined) continue;
        await broker.setCommitted(group, [stored], ({ offset }, now) => {
          if (silence() >= MAX_SILENCE) return false;
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
  new GatewayError("BROKER_UNAVAILABLE", { message: "The partition was assigned to another process" });

export const createPositions = (options: PositionsOptions): Positions => {
  const { broker, feeds, silence } = options;

  const store: Positions["store"] = async (follower, positions) => {
    const cursorOf = (position: GroupPosition): Cursor | undefined =>
      feeds.get(partitionId(position))?.cursors.get(follower);
    const cursors = positions.map(cursorOf);
    if (!cursors.every((cursor) => cursor !== undefined)) throw lost();
    const refused: GroupPosition[] = [];
    await broker.setCommitted(follower.group, positions, (position, stored) => {
      if (silence() >= MAX_SILENCE) refused.push(position);
      const mayGoBack = cursorOf(position)?.mayGoBack === true;
      return refused.length === 0 && (stored === undefined || stored <= position.offset || mayGoBack);
    });
    if (refused.length > 0) throw lost();
    positions.forEach((stored, index) => Object.assign(cursors[index] ?? {}, { stored, mayGoBack: false }));
  };

  return { load: createLoad(options), take: createTake(options), store, close: createRefresh(options) };
};
