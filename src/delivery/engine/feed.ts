/** A feed: one partition of the shared reader. It passes records to many groups, each with its own position. */
import type {
  ConsumedRecord,
  GroupPosition,
  SubscriptionHandlers,
  TopicPartition,
} from "../../broker/broker.ts";

/** A group that gets its records from the shared reader. */
export interface Follower {
  readonly group: string;
  readonly from: "earliest" | "latest";
  readonly handlers: SubscriptionHandlers;
}

/** Position of a follower in a partition. */
export interface Cursor {
  /** The next offset that the follower gets. */
  next: bigint;
  /** The committed position of its group. */
  stored: GroupPosition | undefined;
  /** The committed position is outside the partition, so a lower position may replace it. */
  mayGoBack: boolean;
  paused: boolean;
  /** Number of this follower's last turn in catching up. */
  turn: number;
}

export interface Feed extends TopicPartition {
  readonly cursors: Map<Follower, Cursor>;
  /** The next offset of the live reader. undefined: the reader has not started, or has ended. */
  head: bigint | undefined;
  /** The partition was revoked. No follower joins any more. */
  ended: boolean;
}

export const createFeed = ({ topic, partition }: TopicPartition): Feed => ({
  topic,
  partition,
  cursors: new Map(),
  head: undefined,
  ended: false,
});

/**
 * Passes records that begin at position `from` to each follower, without those that the follower has had. Returns the
 * position after the records. Offsets may have gaps. A follower that is paused, or whose position is before `from`, gets
 * nothing and keeps its position.
 */
export const handOut = (feed: Feed, from: bigint, records: readonly ConsumedRecord[]): bigint => {
  const last = records.at(-1);
  if (last === undefined) return from;
  const after = last.offset + 1n;
  advanceFollowers(feed, from, after, ({ handlers }, next) => {
    const theirs = next === from ? records : records.filter(({ offset }) => offset >= next);
    if (theirs.length > 0) handlers.onRecords(theirs);
  });
  return after;
};

/** There are no records from `from` to `offset`. Moves the followers on, and returns the new position of the feed. */
export const passOn = (feed: Feed, from: bigint, offset: bigint): bigint => {
  if (offset <= from) return from;
  const { topic, partition } = feed;
  advanceFollowers(feed, from, offset, ({ handlers }) => handlers.onPassed?.({ topic, partition, offset }));
  return offset;
};

/** Moves the followers between both positions to `after`, and calls `give` with the previous position of each. */
const advanceFollowers = (
  feed: Feed,
  from: bigint,
  after: bigint,
  give: (follower: Follower, next: bigint) => void,
): void => {
  for (const [follower, cursor] of feed.cursors) {
    const { next, paused } = cursor;
    if (paused || next < from || next >= after) continue;
    // Set before the call, because the follower may pause or seek in it.
    cursor.next = after;
    give(follower, next);
  }
};

/** The follower isn't paused, and the live reader is ahead of it. */
export const isBehind = ({ head }: Feed, { next, paused }: Cursor): boolean =>
  head !== undefined && !paused && next < head;

/** Followers whose positions differ by at most this number of offsets read together. The other followers catch up. */
const MAX_DISTANCE = 10_000n;

/** Start of the live reader: the lowest position near the newest one, so that a follower far behind doesn't delay the others. */
export const liveStart = ({ cursors }: Feed): bigint => {
  const positions = [...cursors.values()].map(({ next }) => next);
  const newest = positions.reduce((one, other) => (other > one ? other : one), 0n);
  return positions.reduce(
    (one, other) => (other < one && newest - other <= MAX_DISTANCE ? other : one),
    newest,
  );
};
