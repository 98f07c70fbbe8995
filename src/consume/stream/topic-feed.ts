/**
 * Reads a topic for all streams of this process: one read loop for each partition, from the end that the topic had when the
 * first stream opened. The records go into the ring in batches, which are announced to the streams that follow.
 */
import type { Broker, PartitionRead } from "../../broker/broker.ts";
import { asGatewayError, type GatewayError } from "../../errors.ts";
import { type Clock, pause } from "../../lib/clock.ts";
import type { MemoryBudget } from "../../lib/memory-budget.ts";
import type { Gap } from "./event-block.ts";
import { Followers } from "./followers.ts";
import { createGathering, type Gathering } from "./gathering.ts";
import { createIdTurns, type IdTurns } from "./id-turns.ts";
import { createRing, type Ring } from "./ring.ts";
import { idWriter, type StreamPosition } from "./stream-id.ts";
import { createLookUp, type LookUp, type TopicLayout } from "./topic-layout.ts";

export interface TopicFeedOptions {
  readonly topic: string;
  readonly broker: Pick<Broker, "read" | "watermarks" | "topicId">;
  readonly clock: Clock;
  readonly ringBytes: number;
  readonly memory: MemoryBudget;
  /** The feed goes on by itself. */
  readonly onError: (error: GatewayError) => void;
}

export interface TopicFeed {
  readonly topic: string;
  /** Starts the feed if it has not started yet. */
  readonly lookUp: LookUp;
  /** undefined: the feed has not started. */
  readonly ring: Ring | undefined;
  /** The id of a position of this topic. */
  readonly idOf: (position: StreamPosition) => string;
  /** Calls `advance` after new batches, and after batches were dropped. Returns the function that ends it. */
  readonly follow: (follower: { advance(): void }) => () => void;
  readonly close: () => void;
}

/** New partitions are found within this time. */
const LOOK_MS = 20_000;
/** The feed reads on while the streams have to write no more than this share of the ring. */
const UNSEEN_SHARE = 1 / 8;

export const createTopicFeed = (options: TopicFeedOptions): TopicFeed => {
  const { topic, broker, clock } = options;
  const followers = new Followers({
    clock,
    fewBytes: options.ringBytes * UNSEEN_SHARE,
    beforeTurn: () => {
      feed.gathering.flush();
    },
  });
  const closed = new AbortController();
  const feed: Feed = {
    ...{ options, followers, closed: closed.signal, ring: undefined, round: undefined },
    lookUp: createLookUp(topic, broker, (layout) => {
      if (!closed.signal.aborted) found(layout, feed);
    }),
    gathering: createGathering({
      onFirst: () => {
        followers.wake();
      },
      onBatch: (events, bytes) => {
        if (feed.round === undefined) return;
        feed.ring?.add({ events, gaps: [], after: positionOf(feed.round) });
        followers.announce(bytes);
      },
    }),
  };

  const watch = async (): Promise<void> => {
    for (;;) {
      await pause(clock, LOOK_MS, closed.signal);
      if (closed.signal.aborted) return;
      await feed.lookUp().catch(() => undefined);
    }
  };
  void watch();

  return {
    topic,
    lookUp: feed.lookUp,
    get ring() {
      return feed.ring;
    },
    idOf: rememberedIds(topic),
    follow: (follower) => followers.add(follower),
    close: () => {
      closed.abort();
      feed.gathering.close();
      feed.ring?.close();
    },
  };
};

/** Streams ask for the id of the same position. */
const rememberedIds = (topic: string): TopicFeed["idOf"] => {
  const ids = new WeakMap<StreamPosition, string>();
  return (position) => {
    const id = ids.get(position) ?? idWriter(topic, position.topicId)(position.offsets);
    ids.set(position, id);
    return id;
  };
};

interface Feed {
  readonly options: TopicFeedOptions;
  readonly followers: Followers;
  readonly gathering: Gathering;
  readonly lookUp: LookUp;
  readonly closed: AbortSignal;
  ring: Ring | undefined;
  round: Round | undefined;
}

/** Reading of one topic, until the topic is created again. */
interface Round {
  readonly topicId: string;
  /** The next offset to read, by partition. */
  readonly offsets: bigint[];
  readonly ids: IdTurns;
  readonly over: AbortController;
}

const positionOf = ({ topicId, offsets }: Round): StreamPosition => ({ topicId, offsets: [...offsets] });

const found = (layout: TopicLayout, feed: Feed): void => {
  const { topicId, ends } = layout;
  if (feed.ring === undefined || feed.round === undefined) {
    const { ringBytes: maxBytes, memory } = feed.options;
    const offsets = ends.map(({ high }) => high);
    const start = { topicId, offsets: [...offsets] };
    feed.ring = createRing({
      maxBytes,
      memory,
      start,
      onDropped: () => {
        feed.followers.announce();
      },
    });
    begin(topicId, offsets, feed);
  } else if (topicId !== feed.round.topicId) {
    beginAgain(layout, feed.ring, feed.round, feed);
  } else {
    // Each new partition is read from its first event.
    for (const { partition, low } of ends.slice(feed.round.offsets.length)) {
      feed.round.offsets.push(low);
      void readPartition(partition, feed.round, feed);
    }
  }
};

const begin = (topicId: string, offsets: bigint[], feed: Feed): Round => {
  const { topic, clock } = feed.options;
  const ids = createIdTurns(topic, topicId, clock);
  const round = { topicId, offsets, ids, over: new AbortController() };
  feed.round = round;
  offsets.forEach((_, partition) => void readPartition(partition, round, feed));
  return round;
};

/** The topic was created again: the streams get a gap in each partition. */
const beginAgain = (layout: TopicLayout, ring: Ring, before: Round, feed: Feed): void => {
  feed.gathering.flush();
  before.over.abort();
  const offsets = layout.ends.map(({ low }) => low);
  const gaps = layout.ends.flatMap(({ partition, low }) => {
    const from = before.offsets[partition] ?? 0n;
    return from === low ? [] : [{ partition, from, to: low }];
  });
  ring.restart({ topicId: layout.topicId, offsets: [...offsets] });
  addGaps(gaps, begin(layout.topicId, offsets, feed), feed);
};

const addGaps = (gaps: readonly Gap[], round: Round, { ring, followers }: Feed): void => {
  if (gaps.length === 0) return;
  ring?.add({ events: [], gaps, after: positionOf(round) });
  followers.announce();
};

/** Maximum bytes of one read of a partition; a single larger record is read alone. */
const READ_BYTES = 512 * 1024;
const MAX_WAIT_MS = 500;
const PAUSE_MS = 250;

/** Reads one partition until the round is over. */
const readPartition = async (partition: number, round: Round, feed: Feed): Promise<void> => {
  const { topic, broker, clock } = feed.options;
  const signal = AbortSignal.any([round.over.signal, feed.closed]);
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    try {
      const from = { topic, partition, offset: round.offsets[partition] ?? 0n };
      const read = await broker.read(from, { maxBytes: READ_BYTES, maxWaitMs: MAX_WAIT_MS, signal });
      if (isOver()) return;
      take(read, partition, round, feed.gathering);
      // Reading a backlog is not faster than writing it to the streams.
      await feed.followers.caughtUp();
      while (feed.ring?.fits() === false && !isOver()) await pause(clock, PAUSE_MS, signal);
    } catch (error) {
      if (isOver()) return;
      report(error, feed);
      if (!(await recovered(partition, round, feed))) await pause(clock, PAUSE_MS, signal);
    }
  }
};

const take = (
  { records, next }: PartitionRead,
  partition: number,
  { offsets, ids }: Round,
  gathering: Gathering,
): void => {
  for (const record of records) {
    offsets[partition] = record.offset + 1n;
    gathering.add({ record, id: ids.next(offsets) });
  }
  offsets[partition] = next;
};

const report = (error: unknown, { options }: Feed): void => {
  const fault = asGatewayError(error);
  // The streams get a gap.
  if (fault.code !== "OFFSET_OUT_OF_RANGE") options.onError(fault);
};

/**
 * Looks after a fault whether the topic is new, or the offset is lost. False: the partition has the offset, or its ends are not
 * known now.
 */
const recovered = async (partition: number, round: Round, feed: Feed): Promise<boolean> => {
  const layout = await feed.lookUp().catch((error: unknown) => {
    report(error, feed);
  });
  const ends = layout?.ends[partition];
  const from = round.offsets[partition] ?? 0n;
  if (round.over.signal.aborted || feed.closed.aborted) return true;
  if (ends === undefined || (from >= ends.low && from <= ends.high)) return false;
  feed.gathering.flush();
  const to = from < ends.low ? ends.low : ends.high;
  round.offsets[partition] = to;
  addGaps([{ partition, from, to }], round, feed);
  return true;
};
