/**
 * Many consumer groups on one reader. A thousand clients with a group each would be a thousand members, each with
 * connections, heartbeats and fetches of its own, for the same records. Here one member of one group (`leader`) holds the
 * partitions and reads them once; the followers' groups have no members, only positions. Who holds a partition holds it
 * for all followers, so that among several processes one at a time serves a follower.
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
  /** The group whose members share out the partitions. */
  readonly leader: string;
  readonly topics: readonly string[];
  /** Faults that reading goes on from by itself. */
  readonly onError: (error: GatewayError) => void;
}

interface ReaderState extends SharedReaderOptions {
  readonly feeds: Map<string, Feed>;
  readonly followers: Set<Follower>;
  readonly positions: Positions;
  readonly catchUp: CatchUp;
  live: Promise<Subscription> | undefined;
  /** Of the leader's member, as in `Subscription`. */
  silence: () => number;
}

/** Until a follower that can't begin is tried again. */
const AGAIN_MS = 1000;

const isCurrent = ({ feeds }: ReaderState, feed: Feed): boolean =>
  feeds.get(partitionId(feed)) === feed && !feed.ended;

/** Lets a follower read along from its group's positions. */
const attach = async (reader: ReaderState, follower: Follower, feeds: readonly Feed[]): Promise<void> => {
  const ours = (): readonly Feed[] =>
    reader.followers.has(follower) ? feeds.filter((feed) => isCurrent(reader, feed)) : [];
  const starts = await reader.positions.load(follower, feeds, () => ours().length > 0);
  // Before that it isn't known how long the group has been silent.
  await reader.live;
  if (ours().length > 0 && !(await reader.positions.take(follower, ours(), starts))) {
    // The others don't wait for it.
    reader.clock.after(AGAIN_MS, () => void admit(reader, [follower], feeds));
    return;
  }
  const joined = ours();
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

/** Lets the followers in, and then reads on from where those are who have come first. */
const admit = async (
  reader: ReaderState,
  followers: readonly Follower[],
  feeds: readonly Feed[],
): Promise<void> => {
  await Promise.all(followers.map((follower) => attach(reader, follower, feeds)));
  const live = await reader.live;
  for (const feed of feeds.filter((one) => isCurrent(reader, one) && one.cursors.size > 0)) {
    const { topic, partition } = feed;
    if (feed.head === undefined) {
      const offset = liveStart(feed);
      live?.seek({ topic, partition, offset });
      live?.resume([feed]);
      feed.head = offset;
    }
    reader.catchUp.look(feed);
  }
};

/** Nothing of it is handed out from now on; its followers may still commit. */
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
  // What is read before it is known where to begin is read for nothing.
  void reader.live?.then((live) => {
    live.pause(partitions);
  });
  void admit(reader, [...reader.followers], fresh);
};

/** Lets the followers commit what they have finished. */
const giveUp = async (followers: Iterable<Follower>, feeds: readonly Feed[]): Promise<void> => {
  const told = [...followers].map(async (follower) => {
    const theirs = feeds.filter(({ cursors }) => cursors.has(follower));
    if (theirs.length > 0) await follower.handlers.onRevoked?.(theirs);
  });
  await Promise.all(told);
};

const revoked = async (reader: ReaderState, partitions: readonly TopicPartition[]): Promise<void> => {
  const feeds = partitions.flatMap((partition) => reader.feeds.get(partitionId(partition)) ?? []);
  for (const feed of feeds) retire(reader, feed);
  await giveUp(reader.followers, feeds);
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

const openLive = (reader: ReaderState): Promise<Subscription> =>
  reader.broker.subscribe(
    { group: reader.leader, topics: reader.topics, from: "earliest" },
    {
      onAssigned: (partitions) => {
        assigned(reader, partitions);
      },
      onRevoked: (partitions) => revoked(reader, partitions),
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

const leave = async (reader: ReaderState, follower: Follower): Promise<void> => {
  const feeds = [...reader.feeds.values()];
  await giveUp([follower], feeds);
  reader.followers.delete(follower);
  for (const { cursors } of feeds) cursors.delete(follower);
};

/** A follower's side of it. */
const subscriptionOf = (reader: ReaderState, follower: Follower): Subscription => {
  const each = (partitions: readonly TopicPartition[], change: (feed: Feed) => void): void => {
    for (const partition of partitions) {
      const feed = reader.feeds.get(partitionId(partition));
      if (feed?.cursors.has(follower) === true) change(feed);
    }
  };
  const amend = (feed: Feed, change: { paused?: boolean; next?: bigint }): void => {
    Object.assign(feed.cursors.get(follower) ?? {}, change);
    reader.catchUp.look(feed);
  };
  return {
    get assignment() {
      return [...reader.feeds.values()].filter(({ cursors }) => cursors.has(follower));
    },
    get silence() {
      return reader.silence();
    },
    pause: (partitions) => {
      each(partitions, (feed) => {
        amend(feed, { paused: true });
      });
    },
    resume: (partitions) => {
      each(partitions, (feed) => {
        amend(feed, { paused: false });
      });
    },
    seek: ({ offset, ...partition }) => {
      each([partition], (feed) => {
        amend(feed, { next: offset });
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
  if (group === undefined) throw new GatewayError("REQUEST_INVALID", { message: "A follower has a group" });
  const follower: Follower = { group, from, handlers };
  const present = [...reader.feeds.values()];
  reader.followers.add(follower);
  reader.live ??= openLive(reader);
  try {
    const live = await reader.live;
    reader.silence = () => live.silence;
  } catch (error) {
    reader.followers.delete(follower);
    reader.live = undefined;
    throw asGatewayError(error);
  }
  if (present.length > 0) void admit(reader, [follower], present);
  return subscriptionOf(reader, follower);
};

export interface SharedReader {
  /** The broker as followers see it: `subscribe` takes a group of theirs, and promises them what the port promises. */
  readonly broker: Broker;
  /** Leaves the leader's group; to be called when the followers have closed their subscriptions. */
  close(): Promise<void>;
}

export const createSharedReader = (options: SharedReaderOptions): SharedReader => {
  const { broker } = options;
  const feeds = new Map<string, Feed>();
  const reader: ReaderState = {
    ...options,
    feeds,
    followers: new Set(),
    positions: createPositions({ ...options, feeds, silence: () => reader.silence() }),
    catchUp: createCatchUp(options),
    live: undefined,
    silence: () => Infinity,
  };
  return {
    broker: { ...broker, subscribe: (wanted, handlers) => follow(reader, wanted, handlers) },
    close: async () => {
      reader.positions.close();
      await reader.catchUp.close();
      const live = await reader.live?.catch(() => undefined);
      await live?.close();
    },
  };
};
