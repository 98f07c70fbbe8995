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

interface Desk extends SharedReaderOptions {
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

const isCurrent = ({ feeds }: Desk, feed: Feed): boolean =>
  feeds.get(partitionId(feed)) === feed && !feed.ended;

/** Lets a follower read along from its group's positions. */
const attach = async (desk: Desk, follower: Follower, feeds: readonly Feed[]): Promise<void> => {
  const ours = (): readonly Feed[] =>
    desk.followers.has(follower) ? feeds.filter((feed) => isCurrent(desk, feed)) : [];
  const starts = await desk.positions.load(follower, feeds, () => ours().length > 0);
  // Before that it isn't known how long the group has been silent.
  await desk.live;
  if (ours().length > 0 && !(await desk.positions.take(follower, ours(), starts))) {
    // The others don't wait for it.
    desk.clock.after(AGAIN_MS, () => void admit(desk, [follower], feeds));
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
const admit = async (desk: Desk, followers: readonly Follower[], feeds: readonly Feed[]): Promise<void> => {
  await Promise.all(followers.map((follower) => attach(desk, follower, feeds)));
  const live = await desk.live;
  for (const feed of feeds.filter((one) => isCurrent(desk, one) && one.cursors.size > 0)) {
    const { topic, partition } = feed;
    if (feed.head === undefined) {
      const offset = liveStart(feed);
      live?.seek({ topic, partition, offset });
      live?.resume([feed]);
      feed.head = offset;
    }
    desk.catchUp.look(feed);
  }
};

/** Nothing of it is handed out from now on; its followers may still commit. */
const retire = ({ catchUp }: Desk, feed: Feed): void => {
  feed.ended = true;
  feed.head = undefined;
  catchUp.leave(feed);
};

const assigned = (desk: Desk, partitions: readonly TopicPartition[]): void => {
  const fresh = partitions.map(createFeed);
  for (const feed of fresh) {
    const before = desk.feeds.get(partitionId(feed));
    if (before !== undefined) retire(desk, before);
    desk.feeds.set(partitionId(feed), feed);
  }
  // What is read before it is known where to begin is read for nothing.
  void desk.live?.then((live) => {
    live.pause(partitions);
  });
  void admit(desk, [...desk.followers], fresh);
};

/** Lets the followers commit what they have finished. */
const giveUp = async (followers: Iterable<Follower>, feeds: readonly Feed[]): Promise<void> => {
  const told = [...followers].map(async (follower) => {
    const theirs = feeds.filter(({ cursors }) => cursors.has(follower));
    if (theirs.length > 0) await follower.handlers.onRevoked?.(theirs);
  });
  await Promise.all(told);
};

const revoked = async (desk: Desk, partitions: readonly TopicPartition[]): Promise<void> => {
  const feeds = partitions.flatMap((partition) => desk.feeds.get(partitionId(partition)) ?? []);
  for (const feed of feeds) retire(desk, feed);
  await giveUp(desk.followers, feeds);
  for (const feed of feeds)
    if (desk.feeds.get(partitionId(feed)) === feed) desk.feeds.delete(partitionId(feed));
};

const received = ({ feeds }: Desk, records: readonly ConsumedRecord[]): void => {
  const [first] = records;
  const feed = first && feeds.get(partitionId(first));
  if (feed?.head !== undefined) feed.head = handOut(feed, feed.head, records);
};

const passed = ({ feeds }: Desk, position: TopicPartitionOffset): void => {
  const feed = feeds.get(partitionId(position));
  if (feed?.head !== undefined) feed.head = passOn(feed, feed.head, position.offset);
};

const openLive = (desk: Desk): Promise<Subscription> =>
  desk.broker.subscribe(
    { group: desk.leader, topics: desk.topics, from: "earliest" },
    {
      onAssigned: (partitions) => {
        assigned(desk, partitions);
      },
      onRevoked: (partitions) => revoked(desk, partitions),
      onRecords: (records) => {
        received(desk, records);
      },
      onPassed: (position) => {
        passed(desk, position);
      },
      onRecreated: (topic) => {
        for (const { handlers } of desk.followers) handlers.onRecreated?.(topic);
      },
      onError: desk.onError,
    },
  );

const leave = async (desk: Desk, follower: Follower): Promise<void> => {
  const feeds = [...desk.feeds.values()];
  await giveUp([follower], feeds);
  desk.followers.delete(follower);
  for (const { cursors } of feeds) cursors.delete(follower);
};

/** A follower's side of it. */
const subscriptionOf = (desk: Desk, follower: Follower): Subscription => {
  const each = (partitions: readonly TopicPartition[], change: (feed: Feed) => void): void => {
    for (const partition of partitions) {
      const feed = desk.feeds.get(partitionId(partition));
      if (feed?.cursors.has(follower) === true) change(feed);
    }
  };
  const amend = (feed: Feed, change: { paused?: boolean; next?: bigint }): void => {
    Object.assign(feed.cursors.get(follower) ?? {}, change);
    desk.catchUp.look(feed);
  };
  return {
    get assignment() {
      return [...desk.feeds.values()].filter(({ cursors }) => cursors.has(follower));
    },
    get silence() {
      return desk.silence();
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
    commit: (positions) => desk.positions.store(follower, positions),
    close: () => leave(desk, follower),
  };
};

const follow = async (
  desk: Desk,
  { group, from }: SubscribeOptions,
  handlers: SubscriptionHandlers,
): Promise<Subscription> => {
  if (group === undefined) throw new GatewayError("REQUEST_INVALID", { message: "A follower has a group" });
  const follower: Follower = { group, from, handlers };
  const present = [...desk.feeds.values()];
  desk.followers.add(follower);
  desk.live ??= openLive(desk);
  try {
    const live = await desk.live;
    desk.silence = () => live.silence;
  } catch (error) {
    desk.followers.delete(follower);
    desk.live = undefined;
    throw asGatewayError(error);
  }
  if (present.length > 0) void admit(desk, [follower], present);
  return subscriptionOf(desk, follower);
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
  const desk: Desk = {
    ...options,
    feeds,
    followers: new Set(),
    positions: createPositions({ ...options, feeds, silence: () => desk.silence() }),
    catchUp: createCatchUp(options),
    live: undefined,
    silence: () => Infinity,
  };
  return {
    broker: { ...broker, subscribe: (wanted, handlers) => follow(desk, wanted, handlers) },
    close: async () => {
      desk.positions.close();
      await desk.catchUp.close();
      const live = await desk.live?.catch(() => undefined);
      await live?.close();
    },
  };
};
