/**
 * One event stream. It keeps a position and no events. While its position is older than the feed's ring it catches up by
 * reads of its own; then it follows the feed.
 */
import type { Broker } from "../../broker/broker.ts";
import { asGatewayError, type GatewayError } from "../../errors.ts";
import { type Clock, pause } from "../../lib/clock.ts";
import type { MemoryBudget } from "../../lib/memory-budget.ts";
import { catchUp } from "./catch-up.ts";
import {
  type EndReason,
  frameOf,
  gapBlock,
  heartbeatBlock,
  idBlock,
  type StreamFormat,
} from "./event-block.ts";
import type { EventFilter } from "./filter.ts";
import { createFollower } from "./follower.ts";
import { createOwnPosition, isCovered, type OwnPosition } from "./own-position.ts";
import { firstPosition, type StreamStart } from "./start.ts";
import { createStreamWriter, type CutReason, type StreamOutput, type StreamWriter } from "./stream-writer.ts";
import type { TopicFeed } from "./topic-feed.ts";

export interface StreamRequest {
  readonly start: StreamStart;
  readonly format: StreamFormat;
  /** Absent: all events. */
  readonly filter?: EventFilter | undefined;
  /** When the credential expires, in milliseconds since the epoch. Absent: never. */
  readonly expires?: number | undefined;
  readonly output: StreamOutput;
}

export interface StreamOptions {
  readonly request: StreamRequest;
  readonly feed: TopicFeed;
  readonly broker: Pick<Broker, "read" | "offsetsAt">;
  readonly clock: Clock;
  readonly memory: MemoryBudget;
  /** Runs a task when few other streams catch up. */
  readonly catchUpTurn: (task: () => Promise<void>) => Promise<void>;
  readonly heartbeatMs: number;
  readonly maxAgeMs: number;
  readonly onEvents: (count: number) => void;
  readonly onCut: (reason: CutReason) => void;
  /** The connection is closed. Called once. */
  readonly onClosed: () => void;
  /** The stream continues. */
  readonly onError: (error: GatewayError) => void;
}

export interface Stream {
  /** Number of events that were sent. */
  events(): number;
  /** Heartbeats, and the ends of the stream that depend on time. To be called about every second. */
  tick(now: number): void;
  readonly drained: () => void;
  /** The connection is closed. */
  readonly closed: () => void;
  end(reason: EndReason): void;
}

const MAX_FULL_MS = 30_000;

export const openStream = (options: StreamOptions): Stream => {
  const { request, clock } = options;
  const writer = createStreamWriter({ ...request, ...options });
  const endsAt = clock.now() + options.maxAgeMs;
  let commentedAt = clock.now();
  const progress: Progress = {
    id: () => undefined,
    advance: () => undefined,
    unfollow: () => undefined,
  };
  void run(options, writer, progress);

  const comment = (): void => {
    const id = progress.id() ?? writer.idSent;
    const blocks = [heartbeatBlock(request.format)];
    if (id !== undefined && id !== writer.idSent) blocks.push(idBlock(id, request.format));
    writer.write(frameOf(blocks), 0, id);
  };

  return {
    events: () => writer.events,
    tick: (now) => {
      if (now >= (request.expires ?? Infinity)) writer.end("Unauthorized");
      else if (now >= endsAt) writer.end("age");
      else if (writer.fullSince !== undefined) {
        if (now - writer.fullSince >= MAX_FULL_MS) writer.cut("slow");
      } else if (now - commentedAt >= options.heartbeatMs) {
        commentedAt = now;
        comment();
      }
    },
    drained: () => {
      writer.drained();
      progress.advance();
    },
    closed: () => {
      writer.close();
      progress.unfollow();
      options.onClosed();
    },
    end: writer.end,
  };
};

/** What a stream does now. */
interface Progress {
  /** The id of the stream's position; undefined: it is not known now. */
  id: () => string | undefined;
  /** Writes what waits for the socket. */
  advance: () => void;
  unfollow: () => void;
}

const AGAIN_MS = 500;

/** Waits until the broker answers, catches up, and follows the feed. */
const run = async (options: StreamOptions, writer: StreamWriter, progress: Progress): Promise<void> => {
  let { start } = options.request;
  while (!writer.signal.aborted) {
    try {
      const position = await begin(start, options, writer);
      start = { from: "position", position };
      progress.id = position.id;
      await catchUpThenFollow(position, options, writer, progress);
      return;
    } catch (error) {
      const fault = asGatewayError(error);
      // The next position has the gap.
      if (fault.code !== "OFFSET_OUT_OF_RANGE") options.onError(fault);
      await pause(options.clock, AGAIN_MS, writer.signal);
    }
  }
};

/** Finds the first position and writes its id. Rejects with the broker's errors. */
const begin = async (
  start: StreamStart,
  { feed, broker, clock, request: { format } }: StreamOptions,
  writer: StreamWriter,
): Promise<OwnPosition> => {
  const layout = await feed.lookUp();
  const first = await firstPosition(start, layout, { topic: feed.topic, broker, signal: writer.signal });
  const position = createOwnPosition(feed.topic, first, clock);
  const id = position.id();
  writer.write(frameOf([...first.gaps.map((gap) => gapBlock(gap, format)), idBlock(id, format)]), 0, id);
  return position;
};

const catchUpThenFollow = async (
  position: OwnPosition,
  options: StreamOptions,
  writer: StreamWriter,
  progress: Progress,
): Promise<void> => {
  const { feed, request, broker, clock, memory } = options;
  const { format, filter } = request;
  while (!writer.signal.aborted && feed.ring !== undefined && !isCovered(position, feed.ring))
    await options.catchUpTurn(() =>
      catchUp({ position, feed, format, filter, clock, broker, memory, writer }),
    );
  if (writer.signal.aborted) return;
  const follower = createFollower({ feed, writer, format, filter, position });
  progress.id = follower.id;
  progress.advance = follower.advance;
  progress.unfollow = feed.follow(follower);
  follower.advance();
};
