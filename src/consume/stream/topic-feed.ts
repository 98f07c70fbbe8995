/**
 * Reads a topic for all streams of this process: one read loop for each partition, from the end that the topic had when the
 * first stream opened. The records go into the ring in batches, and each batch is announced to the streams that follow.
 */
import type { Broker, ConsumedRecord } from "../../broker/broker.ts";
import { asGatewayError, type GatewayError } from "../../errors.ts";
import { type Clock, pause } from "../../lib/clock.ts";
import { createPace } from "../../lib/event-loop.ts";
import type { MemoryBudget } from "../../lib/memory-budget.ts";
import type { FeedEvent } from "./batch.ts";
import type { Gap } from "./event-block.ts";
import { createIdTurns, type IdTurns } from "./id-turns.ts";
import { idWriter, type StreamPosition } from "./stream-id.ts";
import { createRing, type Ring } from "./ring.ts";
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

export interface Follower {
  /** Takes the ring's batches as far as it can. */
  advance(): void;
}

export interface TopicFeed {
  readonly topic: string;
  /** Starts the feed if it has not started yet. */
  readonly lookUp: LookUp;
  /** undefined: the feed has not started. */
  readonly ring: Ring | undefined;
  /** The id of a position of this topic. */
  readonly idOf: (position: StreamPosition) => string;
  /** Calls `advance` after each batch, and after batches were dropped. Returns the function that ends it. */
  follow(follower: Follower): () => void;
  close(): void;
}

/** Maximum bytes of one read of a partition; a single larger record is read alone. */
const READ_BYTES = 512 * 1024;
const MAX_WAIT_MS = 500;
const FAULT_PAUSE_MS = 250;
/** New partitions are found within this time. */
const LOOK_MS = 20_000;
/** A batch waits for further records, so that 2,000 streams need few writes. Streams alone get their events at once. */
const MAX_GATHER_MS = 40;
const FOLLOWERS_PER_GATHER_MS = 50;
const MAX_GATHER_BYTES = 256 * 1024;
/** Milliseconds for which streams are written in one turn of the event loop. */
const LONGEST_TURN_MS = 5;

/** Reading of one topic, until the topic is created again. */
interface Round {
  readonly topicId: string;
  /** The next offset to read, by partition. */
  readonly offsets: bigint[];
  readonly ids: IdTurns;
  readonly over: AbortController;
}

export const createTopicFeed = (options: TopicFeedOptions): TopicFeed => {
  const { topic, broker, clock } = options;
  const followers = createFollowers();
  const closed = new AbortController();
  let ring: Ring | undefined;
  let round: Round | undefined;

  const gathered = createGathering(
    options,
    () => followers.size,
    (events) => {
      if (ring === undefined || round === undefined) return;
      ring.add({ events, gaps: [], after: { topicId: round.topicId, offsets: [...round.offsets] } });
      followers.announce();
    },
  );

  const addGaps = ({ topicId, offsets }: Round, gaps: readonly Gap[]): void => {
    if (gaps.length === 0) return;
    ring?.add({ events: [], gaps, after: { topicId, offsets: [...offsets] } });
    followers.announce();
  };

  const begin = ({ topicId }: TopicLayout, offsets: bigint[]): Round => {
    const ids = createIdTurns(topic, topicId, clock);
    round = { topicId, offsets, ids, over: new AbortController() };
    offsets.forEach((_, partition) => void follow(partition));
    return round;
  };

  const onFound = (layout: TopicLayout): void => {
    const { topicId, ends } = layout;
    if (closed.signal.aborted) return;
    if (ring === undefined || round === undefined) {
      const offsets = ends.map(({ high }) => high);
      const start = { topicId, offsets: [...offsets] };
      ring = createRing({
        ...{ maxBytes: options.ringBytes, memory: options.memory, start },
        onDropped: followers.announce,
      });
      begin(layout, offsets);
    } else if (topicId !== round.topicId) {
      restart(layout, ring, round);
    } else {
      // Each new partition is read from its first event.
      for (const { partition, low } of ends.slice(round.offsets.length)) {
        round.offsets.push(low);
        void follow(partition);
      }
    }
  };

  /** The topic was created again: the streams get a gap in each partition. */
  const restart = (layout: TopicLayout, oldRing: Ring, before: Round): void => {
    gathered.flush();
    before.over.abort();
    const offsets = layout.ends.map(({ low }) => low);
    const gaps = layout.ends.flatMap(({ partition, low }) => {
      const from = before.offsets[partition] ?? 0n;
      return from === low ? [] : [{ partition, from, to: low }];
    });
    oldRing.restart({ topicId: layout.topicId, offsets: [...offsets] });
    addGaps(begin(layout, offsets), gaps);
  };

  const lookUp = createLookUp(topic, broker, onFound);

  const take = (partition: number, records: readonly ConsumedRecord[], next: bigint): void => {
    if (round === undefined) return;
    const { offsets, ids } = round;
    for (const record of records) {
      offsets[partition] = record.offset + 1n;
      gathered.add({ record, id: ids.next(offsets) });
    }
    offsets[partition] = next;
  };

  /** Reads one partition until the round is over. */
  const follow = async (partition: number): Promise<void> => {
    const current = round;
    if (current === undefined) return;
    const signal = AbortSignal.any([current.over.signal, closed.signal]);
    while (!signal.aborted) {
      try {
        const from = { topic, partition, offset: current.offsets[partition] ?? 0n };
        const read = await broker.read(from, { maxBytes: READ_BYTES, maxWaitMs: MAX_WAIT_MS, signal });
        if (signal.aborted) return;
        take(partition, read.records, read.next);
        // Reading a backlog is not faster than writing it to the streams.
        await followers.idle();
        while (ring?.fits() === false && !signal.aborted) await pause(clock, FAULT_PAUSE_MS, signal);
      } catch (error) {
        if (!isOver(signal)) await recover(partition, current, signal, asGatewayError(error));
      }
    }
  };

  /** After a fault the offset may be lost, or the topic may be new. */
  const recover = async (
    partition: number,
    current: Round,
    signal: AbortSignal,
    error: GatewayError,
  ): Promise<void> => {
    if (error.code !== "OFFSET_OUT_OF_RANGE") options.onError(error);
    const layout = await lookUp().catch((fault: unknown) => {
      options.onError(asGatewayError(fault));
    });
    const ends = layout?.ends[partition];
    const from = current.offsets[partition] ?? 0n;
    if (ends === undefined || isOver(signal) || (from >= ends.low && from <= ends.high)) {
      await pause(clock, FAULT_PAUSE_MS, signal);
      return;
    }
    gathered.flush();
    const to = from < ends.low ? ends.low : ends.high;
    current.offsets[partition] = to;
    addGaps(current, [{ partition, from, to }]);
  };

  const watch = async (): Promise<void> => {
    for (;;) {
      await pause(clock, LOOK_MS, closed.signal);
      if (closed.signal.aborted) return;
      await lookUp().catch(() => undefined);
    }
  };
  void watch();

  return {
    topic,
    lookUp,
    get ring() {
      return ring;
    },
    idOf: rememberedIds(topic),
    follow: followers.add,
    close: () => {
      closed.abort();
      gathered.close();
      ring?.close();
    },
  };
};

/** The signal may be aborted while a promise is pending. */
const isOver = (signal: AbortSignal): boolean => signal.aborted;

/** Streams ask for the id of the same position. */
const rememberedIds = (topic: string): TopicFeed["idOf"] => {
  const ids = new WeakMap<StreamPosition, string>();
  return (position) => {
    const id = ids.get(position) ?? idWriter(topic, position.topicId)(position.offsets);
    ids.set(position, id);
    return id;
  };
};

/** Collects events for the next batch. */
const createGathering = (
  { clock }: Pick<TopicFeedOptions, "clock">,
  countFollowers: () => number,
  onBatch: (events: readonly FeedEvent[]) => void,
) => {
  let events: FeedEvent[] = [];
  let bytes = 0;
  let cancel: (() => void) | undefined;

  const flush = (): void => {
    cancel?.();
    cancel = undefined;
    const taken = events;
    events = [];
    bytes = 0;
    if (taken.length > 0) onBatch(taken);
  };

  return {
    flush,
    add: (event: FeedEvent): void => {
      events.push(event);
      bytes += event.record.value?.length ?? 0;
      const ms = Math.min(MAX_GATHER_MS, countFollowers() / FOLLOWERS_PER_GATHER_MS);
      cancel ??= clock.after(ms, flush);
      if (bytes > MAX_GATHER_BYTES) flush();
    },
    close: (): void => {
      cancel?.();
      events = [];
    },
  };
};

/** The streams that follow a feed. A long announcement has pauses for other requests. */
const createFollowers = () => {
  const followers = new Set<Follower>();
  let running = Promise.resolve();
  let isRunning = false;
  let again = false;

  const run = async (): Promise<void> => {
    isRunning = true;
    const pace = createPace(LONGEST_TURN_MS);
    while (again) {
      again = false;
      for (const follower of followers) {
        if (pace.isDue) await pace.rest();
        follower.advance();
      }
    }
    isRunning = false;
  };

  return {
    get size() {
      return followers.size;
    },
    add: (follower: Follower) => {
      followers.add(follower);
      return () => {
        followers.delete(follower);
      };
    },
    announce: (): void => {
      again = true;
      if (!isRunning) running = run();
    },
    /** Resolves when no announcement is running. */
    idle: (): Promise<void> => running,
  };
};
