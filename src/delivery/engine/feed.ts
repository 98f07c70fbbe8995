/** A partition as the shared reader hands it out: to many groups, each with a position of its own. */
import type {
  ConsumedRecord,
  GroupPosition,
  SubscriptionHandlers,
  TopicPartition,
} from "../../broker/broker.ts";

/** A group that reads along. */
export interface Follower {
  readonly group: string;
  readonly from: "earliest" | "latest";
  readonly handlers: SubscriptionHandlers;
}

/** Where a follower is in a partition. */
export interface Cursor {
  /** The next offset that it is to be given. */
  next: bigint;
  /** Position of its group that is stored. */
  stored: GroupPosition | undefined;
  /** The stored position can't be read from: it may be replaced by a lower one. */
  mayGoBack: boolean;
  paused: boolean;
  /** Turns of the catching up before this follower had its last one. */
  turn: number;
}

export interface Feed extends TopicPartition {
  readonly cursors: Map<Follower, Cursor>;
  /** The next offset of the live reader; undefined: it has not begun, or is over. */
  head: bigint | undefined;
  /** Given up: nobody joins any more. */
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
 * Gives each follower what it has not had of records that begin at the position `from`, and returns the position
 * after them. Offsets may have gaps. Who is paused, or not as far as `from` yet, gets nothing and stays where it is.
 */
export const handOut = (feed: Feed, from: bigint, records: readonly ConsumedRecord[]): bigint => {
  const last = records.at(-1);
  if (last === undefined) return from;
  const after = last.offset + 1n;
  forThoseAt(feed, from, after, ({ handlers }, next) => {
    const theirs = next === from ? records : records.filter(({ offset }) => offset >= next);
    if (theirs.length > 0) handlers.onRecords(theirs);
  });
  return after;
};

/** From the position `from` up to `offset` there are no records for readers; returns where the feed is now. */
export const passOn = (feed: Feed, from: bigint, offset: bigint): bigint => {
  if (offset <= from) return from;
  const { topic, partition } = feed;
  forThoseAt(feed, from, offset, ({ handlers }) => handlers.onPassed?.({ topic, partition, offset }));
  return offset;
};

/** Takes those on to `after` that are between both positions, and tells `give` where each was. */
const forThoseAt = (
  feed: Feed,
  from: bigint,
  after: bigint,
  give: (follower: Follower, next: bigint) => void,
): void => {
  for (const [follower, cursor] of feed.cursors) {
    const { next, paused } = cursor;
    if (paused || next < from || next >= after) continue;
    // Before the call, in which the follower may pause or seek.
    cursor.next = after;
    give(follower, next);
  }
};

/** Could go on, and the live reader has passed it. */
export const isBehind = ({ head }: Feed, { next, paused }: Cursor): boolean =>
  head !== undefined && !paused && next < head;

/** Followers no farther apart than this read together from the start: the others catch up. */
const TOGETHER = 10_000n;

/** Where the live reader begins: not so far back that one follower's past is everyone's present. */
export const liveStart = ({ cursors }: Feed): bigint => {
  const positions = [...cursors.values()].map(({ next }) => next);
  const newest = positions.reduce((one, other) => (other > one ? other : one), 0n);
  return positions.reduce((one, other) => (other < one && newest - other <= TOGETHER ? other : one), newest);
};
