/**
 * One reader for many consumer groups. A thousand clients with one member each would need a thousand times the
 * connections, heartbeats and fetches, all for the same records. Here one member of one group (`leader`) reads the records
 * once. The followers' groups have positions and no members. The process to which a partition is assigned serves it to all
 * followers, so only one process at a time serves a follower.
 */
import { partitionId } from "../../broker/partitions.ts";
import type {
  Broker,
  ConsumedRecord,
  SubscribeOptions,
  Subscription,
  SubscriptionHandlers,
  TopicPartition,
  TopicPartitionOffset,
} from "../../broker/broker.ts";
import { asGatewayError, GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { createCatchUp, type CatchUp } from "./catch-up.ts";
import { createFeed, handOut, liveStart, passOn, type Feed, type Follower } from "../engine/feed.ts";
import { createPositions, type Positions } from "./positions.ts";

export interface SharedReaderOptions {
  readonly broker: Broker;
  readonly clock: Clock;
  /** The group whose members share the partitions. */
  readonly leader: string;
  readonly topics: readonly string[];
  /** Called for faults after which reading continues by itself. */
  readonly onError: (error: GatewayError) => void;
}

interface ReaderState extends SharedReaderOptions {
  readonly feeds: Map<string, Feed>;
  readonly followers: Set<Follower>;
  readonly positions: Positions;
  readonly catchUp: CatchUp;
  readonly membership: Membership;
}

/** The subscription of the leader's group. The first follower opens it. */
interface Membership {
  opening: Promise<Subscription> | undefined;
  /** undefined until `opening` resolves. */
  subscription: Subscription | undefined;
}

/** Without a subscription the silence is unlimited. */
const silenceOf = ({ subscription }: Membership): number => subscription?.silence ?? Infinity;

/** Milliseconds until a follower that can't start tries again. */
const AGAIN_MS = 1000;

const isCurrent = ({ feeds }: ReaderState, feed: Feed): boolean =>
  feeds.get(partitionId(feed)) === feed && !feed.ended;

/** Adds a follower to the feeds, at its group's positions. */
const attach = async (reader: ReaderState, follower: Follower, feeds: readonly Feed[]): Promise<void> => {
  const current = (): readonly Feed[] =>
    reader.followers.has(follower) ? feeds.filter((feed) => isCurrent(reader, feed)) : [];
  const starts = await reader.positions.load(follower, feeds, () => current().length > 0);
  // The silence of the group is known only when the subscription is open.
  await reader.membership.opening;
  if (current().length > 0 && !(await reader.positions.take(follower, current(), starts))) {
    // The other followers don't wait for this one.
    reader.clock.after(AGAIN_MS, () => void admit(reader, [follower], feeds));
    return;
  }
  const joined = current();
  for (const feed of joined) {
    const start = starts.get(partitionId(feed));
    if (start !== undefined) feed.cursors.set(follower, { ...start, paused: false, turn: 0 });
  }
  if (joined.length > 0) follower.handlers.onAssigned?.(joined);
  for (const { cursors } of joined) {
    const stored = cursors.get(follower)?.stored;
    if (stored !== undefined) follower.handlers.onStart?.(stored);
  }
};

/** Adds the followers, and then starts the live reader of each feed. */
const admit = async (
  reader: ReaderState,
  followers: readonly Follower[],
  feeds: readonly Feed[],
): Promise<void> => {
  await Promise.all(followers.map((follower) => attach(reader, follower, feeds)));
  const live = await reader.membership.opening;
  for (const feed of feeds.filter((one) => isCurrent(reader, one) && one.cursors.size > 0)) {
    const { topic, partition } = feed;
    if (feed.head === undefined) {
      const offset = liveStart(feed);
      live?.seek({ topic, partition, offset });
      live?.resume([feed]);
      feed.head = offset;
    }
    reader.catchUp.check(feed);
  }
};

/** Passes no more records of the feed on. Its followers may still commit. */
const retire = ({ catchUp }: ReaderState, feed: Feed): void => {
  feed.ended = true;
  feed.head = undefined;
  catchUp.leave(feed);
};

const assigned = (reader: ReaderState, partitions: readonly TopicPartition[]): void => {
  const fresh = partitions.map(createFeed);
  for (const feed of fresh) {
    const before = reader.feeds.get(partitionId(feed));
    if (before !== undefined) retire(reader, before);
    reader.feeds.set(partitionId(feed), feed);
  }
  // Pause until the start position is known.
  void reader.membership.opening?.then((live) => {
    live.pause(partitions);
  });
  void admit(reader, [...reader.followers], fresh);
};

/** Calls `onRevoked` of the followers, in which they commit. */
const giveUp = async (
  followers: Iterable<Follower>,
  feeds: readonly Feed[],
  withinMs?: number,
): Promise<void> => {
  const revocations = [...followers].map(async (follower) => {
    const own = feeds.filter(({ cursors }) => cursors.has(follower));
    if (own.length > 0) await follower.handlers.onRevoked?.(own, withinMs);
  });
  await Promise.all(revocations);
};

const revoked = async (
  reader: ReaderState,
  partitions: readonly TopicPartition[],
  withinMs?: number,
): Promise<void> => {
  const feeds = partitions.flatMap((partition) => reader.feeds.get(partitionId(partition)) ?? []);
  for (const feed of feeds) retire(reader, feed);
  await giveUp(reader.followers, feeds, withinMs);
  for (const feed of feeds)
    if (reader.feeds.get(partitionId(feed)) === feed) reader.feeds.delete(partitionId(feed));
};

const received = ({ feeds }: ReaderState, records: readonly ConsumedRecord[]): void => {
  const [first] = records;
  const feed = first && feeds.get(partitionId(first));
  if (feed?.head !== undefined) feed.head = handOut(feed, feed.head, records);
};

const passed = ({ feeds }: ReaderState, position: TopicPartitionOffset): void => {
  const feed = feeds.get(partitionId(position));
  if (feed?.head !== undefined) feed.head = passOn(feed, feed.head, position.offset);
};

const openLive = async (reader: ReaderState): Promise<Subscription> => {
  const subscription = await reader.broker.subscribe(
    { group: reader.leader, topics: reader.topics, from: "earliest" },
    {
      onAssigned: (partitions) => {
        assigned(reader, partitions);
      },
      onRevoked: (partitions, withinMs) => revoked(reader, partitions, withinMs),
      onRecords: (records) => {
        received(reader, records);
      },
      onPassed: (position) => {
        passed(reader, position);
      },
      onRecreated: (topic) => {
        for (const { handlers } of reader.followers) handlers.onRecreated?.(topic);
      },
      onError: reader.onError,
    },
  );
  reader.membership.subscription = subscription;
  return subscription;
};

const leave = async (reader: ReaderState, follower: Follower): Promise<void> => {
  const feeds = [...reader.feeds.values()];
  await giveUp([follower], feeds);
  reader.followers.delete(follower);
  for (const { cursors } of feeds) cursors.delete(follower);
};

/** The subscription that a follower gets. */
const subscriptionOf = (reader: ReaderState, follower: Follower): Subscription => {
  const each = (partitions: readonly TopicPartition[], change: (feed: Feed) => void): void => {
    for (const partition of partitions) {
      const feed = reader.feeds.get(partitionId(partition));
      if (feed?.cursors.has(follower) === true) change(feed);
    }
  };
  const update = (feed: Feed, change: { paused?: boolean; next?: bigint }): void => {
    Object.assign(feed.cursors.get(follower) ?? {}, change);
    reader.catchUp.check(feed);
  };
  return {
    get assignment() {
      return [...reader.feeds.values()].filter(({ cursors }) => cursors.has(follower));
    },
    get silence() {
      return silenceOf(reader.membership);
    },
    pause: (partitions) => {
      each(partitions, (feed) => {
        update(feed, { paused: true });
      });
    },
    resume: (partitions) => {
      each(partitions, (feed) => {
        update(feed, { paused: false });
      });
    },
    seek: ({ offset, ...partition }) => {
      each([partition], (feed) => {
        update(feed, { next: offset });
      });
    },
    commit: (positions) => reader.positions.store(follower, positions),
    close: () => leave(reader, follower),
  };
};

const follow = async (
  reader: ReaderState,
  { group, from }: SubscribeOptions,
  handlers: SubscriptionHandlers,
): Promise<Subscription> => {
  if (group === undefined)
    throw new GatewayError("REQUEST_INVALID", { message: "A follower must have a group" });
  const follower: Follower = { group, from, handlers };
  const present = [...reader.feeds.values()];
  reader.followers.add(follower);
  reader.membership.opening ??= openLive(reader);
  try {
    await reader.membership.opening;
  } catch (error) {
    reader.followers.delete(follower);
    reader.membership.opening = undefined;
    throw asGatewayError(error);
  }
  if (present.length > 0) void admit(reader, [follower], present);
  return subscriptionOf(reader, follower);
};

export interface SharedReader {
  /** The broker for the followers. Its `subscribe` requires a group, and fulfils the contract of `Broker`. */
  readonly broker: Broker;
  /** Leaves the leader's group. Call it after the followers have closed their subscriptions. */
  close(): Promise<void>;
}

export const createSharedReader = (options: SharedReaderOptions): SharedReader => {
  const { broker } = options;
  const feeds = new Map<string, Feed>();
  const membership: Membership = { opening: undefined, subscription: undefined };
  const reader: ReaderState = {
    ...options,
    feeds,
    followers: new Set(),
    membership,
    positions: createPositions({ ...options, feeds, silence: () => silenceOf(membership) }),
    catchUp: createCatchUp(options),
  };
  return {
    broker: { ...broker, subscribe: (wanted, handlers) => follow(reader, wanted, handlers) },
    close: async () => {
      reader.positions.close();
      await reader.catchUp.close();
      const live = await membership.opening?.catch(() => undefined);
      await live?.close();
    },
  };
};
