/** All event streams of this process: their number, their topics' feeds, and the times at which they end. */
import type { Broker } from "../../broker/broker.ts";
import { GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import type { MemoryBudget } from "../../lib/memory-budget.ts";
import { createSemaphore } from "../../lib/semaphore.ts";
import type { StreamFormat } from "./event-block.ts";
import { Stream, type StreamRequest } from "./stream.ts";
import type { CutReason } from "./stream-writer.ts";
import { createTopicFeed, type TopicFeed } from "./topic-feed.ts";

export interface StreamLimits {
  /** Milliseconds between the comments of a stream. */
  readonly heartbeat: number;
  /** Milliseconds. */
  readonly maxAge: number;
  readonly perPrincipal: number;
  readonly maxStreams: number;
  /** Maximum bytes of the newest events of a topic. */
  readonly ring: number;
  /** Maximum number of streams that read older events at the same time. */
  readonly catchUps: number;
}

export interface StreamMetrics {
  /** `read` is called at each scrape and returns the number of streams by format. */
  streamsFrom(read: () => Readonly<Record<StreamFormat["api"], number>>): void;
  readonly streamCut: (reason: CutReason) => void;
  eventsRead(api: StreamFormat["api"], count: number): void;
}

export interface StreamsOptions {
  readonly broker: Pick<Broker, "read" | "watermarks" | "topicId" | "offsetsAt">;
  readonly clock: Clock;
  /** Memory for the rings, and for streams that catch up. */
  readonly memory: MemoryBudget;
  readonly limits: StreamLimits;
  readonly metrics: StreamMetrics;
  /** The streams continue. */
  readonly onError: (error: GatewayError) => void;
  /** Aborted when the process shuts down: the streams end, and a new one ends at once. */
  readonly stopping: AbortSignal;
}

/** A place for one stream. */
export interface Reservation {
  /** `topic` need not exist: the stream waits for it. */
  open(topic: string, request: StreamRequest): Stream;
  /** Gives an unused place back. */
  release(): void;
}

export interface EventStreams {
  /** Throws STREAMS_TOO_MANY. `owner` names the principal. */
  reserve(owner: string): Reservation;
}

/** A feed without streams stays open for this time, so that clients that reconnect find its ring. */
const LINGER_MS = 10_000;
const LONGEST_TICK_MS = 1000;
const TICKS_PER_HEARTBEAT = 5;

export const createEventStreams = (options: StreamsOptions): EventStreams => {
  const { broker, clock, memory, limits, metrics, stopping } = options;
  const open = new Map<Stream, StreamFormat>();
  const places = createPlaces(limits);
  const feeds = createFeeds(options);
  const turns = createSemaphore({ permits: limits.catchUps, maxWaiting: Infinity });
  const events = createEventCount(metrics);
  const keepTicking = createTicks(options, open, events.report);
  metrics.streamsFrom(() => {
    const counts = { sse: 0, ndjson: 0 };
    for (const { api } of open.values()) counts[api] += 1;
    return counts;
  });
  stopping.addEventListener("abort", () => {
    for (const stream of open.keys()) stream.end("shutdown");
    events.report();
    feeds.close();
  });

  const start = (topic: string, request: StreamRequest, release: () => void): Stream => {
    const feed = feeds.take(topic);
    const stream = new Stream({
      ...{ request, feed, broker, clock, memory },
      ...{ heartbeatMs: limits.heartbeat, maxAgeMs: limits.maxAge },
      catchUpTurn: (task) => turns.tryRun(task) ?? Promise.resolve(),
      onEvents: (count) => {
        events.add(request.format.api, count);
      },
      onClosed: () => {
        open.delete(stream);
        feeds.giveBack(feed);
        release();
      },
      onCut: metrics.streamCut,
      onError: options.onError,
    });
    open.set(stream, request.format);
    keepTicking();
    if (stopping.aborted) stream.end("shutdown");
    return stream;
  };

  return {
    reserve: (owner) => {
      const release = places.take(owner);
      return { release, open: (topic, request) => start(topic, request, release) };
    },
  };
};

/** Counts events. The metric is updated later, because an update for each write would cost more than the write. */
const createEventCount = (metrics: StreamMetrics) => {
  const counts = { sse: 0, ndjson: 0 };
  return {
    add: (api: StreamFormat["api"], count: number): void => {
      counts[api] += count;
    },
    report: (): void => {
      for (const api of ["sse", "ndjson"] as const) {
        if (counts[api] > 0) metrics.eventsRead(api, counts[api]);
        counts[api] = 0;
      }
    },
  };
};

/** One timer for all streams. The returned function starts it; it stops when no stream is open. */
const createTicks = (
  { clock, limits }: StreamsOptions,
  open: ReadonlyMap<Stream, StreamFormat>,
  report: () => void,
): (() => void) => {
  const tickMs = Math.min(LONGEST_TICK_MS, limits.heartbeat / TICKS_PER_HEARTBEAT);
  let isTicking = false;
  const later = (): void => {
    isTicking = true;
    clock.after(tickMs, tick);
  };
  const tick = (): void => {
    const now = clock.now();
    for (const stream of open.keys()) stream.tick(now);
    report();
    isTicking = false;
    if (open.size > 0) later();
  };
  return () => {
    if (!isTicking) later();
  };
};

/** Counts streams against their limits. */
const createPlaces = ({ perPrincipal, maxStreams }: StreamLimits) => {
  const byOwner = new Map<string, number>();
  let total = 0;

  const refuse = (setting: string, most: number): never => {
    throw new GatewayError("STREAMS_TOO_MANY", {
      message: `reading.streams.${setting} allows ${most} streams, and ${most} are open; close one and try again`,
      retryAfter: 5,
    });
  };

  return {
    take: (owner: string): (() => void) => {
      const own = byOwner.get(owner) ?? 0;
      if (total >= maxStreams) refuse("maxStreams", maxStreams);
      if (own >= perPrincipal) refuse("perPrincipal", perPrincipal);
      byOwner.set(owner, own + 1);
      total += 1;
      return () => {
        total -= 1;
        const left = (byOwner.get(owner) ?? 1) - 1;
        if (left === 0) byOwner.delete(owner);
        else byOwner.set(owner, left);
      };
    },
  };
};

/** The feeds of topics that have streams, or had one lately. */
const createFeeds = ({ broker, clock, memory, limits, onError }: StreamsOptions) => {
  const byTopic = new Map<string, { readonly feed: TopicFeed; streams: number; cancel: () => void }>();

  const drop = (topic: string): void => {
    const held = byTopic.get(topic);
    held?.cancel();
    held?.feed.close();
    byTopic.delete(topic);
  };

  return {
    take: (topic: string): TopicFeed => {
      const held = byTopic.get(topic) ?? {
        feed: createTopicFeed({ topic, broker, clock, ringBytes: limits.ring, memory, onError }),
        streams: 0,
        cancel: () => undefined,
      };
      held.cancel();
      held.streams += 1;
      byTopic.set(topic, held);
      return held.feed;
    },
    giveBack: ({ topic }: TopicFeed): void => {
      const held = byTopic.get(topic);
      if (held === undefined) return;
      held.streams -= 1;
      if (held.streams > 0) return;
      held.cancel = clock.after(LINGER_MS, () => {
        drop(topic);
      });
    },
    close: (): void => {
      for (const topic of [...byTopic.keys()]) drop(topic);
    },
  };
};
