/**
 * One event stream. It keeps a position and no events. While its position is older than the feed's ring it catches up by
 * reads of its own; then it follows the feed.
 */
import type { Broker } from "../../broker/broker.ts";
import { asGatewayError, type GatewayError } from "../../errors.ts";
import { type Clock, pause } from "../../lib/clock.ts";
import type { MemoryBudget } from "../../lib/memory-budget.ts";
import { catchUp } from "./catch-up.ts";
import { createSchemaWait } from "./decoding.ts";
import {
  type EndReason,
  frameOf,
  gapBlock,
  heartbeatBlock,
  idBlock,
  type StreamFormat,
} from "./event-block.ts";
import type { EventFilter } from "./filter.ts";
import { Follower } from "./follower.ts";
import { createOwnPosition, isCovered, type OwnPosition } from "./own-position.ts";
import { firstPosition, type StreamStart } from "./start.ts";
import { type CutReason, type StreamOutput, StreamWriter } from "./stream-writer.ts";
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

const MAX_FULL_MS = 30_000;

/** A class for the same reason as `StreamWriter`. */
export class Stream {
  readonly #options: StreamOptions;
  readonly #writer: StreamWriter;
  readonly #endsAt: number;
  #commentedAt: number;
  readonly #progress: Progress = { position: undefined, follower: undefined, unfollow: () => undefined };

  constructor(options: StreamOptions) {
    const { request, clock, onEvents, onCut } = options;
    const { output, format } = request;
    this.#options = options;
    this.#writer = new StreamWriter({ output, format, clock, onEvents, onCut });
    this.#commentedAt = clock.now();
    this.#endsAt = this.#commentedAt + options.maxAgeMs;
    void run(options, this.#writer, this.#progress);
  }

  /** Number of events that were sent. */
  get events(): number {
    return this.#writer.events;
  }

  /** Heartbeats, and the ends of the stream that depend on time. To be called about every second. */
  tick(now: number): void {
    const { request, heartbeatMs } = this.#options;
    const writer = this.#writer;
    if (now >= (request.expires ?? Infinity)) writer.end("Unauthorized");
    else if (now >= this.#endsAt) writer.end("age");
    else if (writer.fullSince !== undefined) {
      if (now - writer.fullSince >= MAX_FULL_MS) writer.cut("slow");
    } else if (now - this.#commentedAt >= heartbeatMs) {
      this.#commentedAt = now;
      this.#comment();
    }
  }

  drained(): void {
    this.#writer.drained();
    this.#progress.follower?.advance();
  }

  /** The connection is closed. */
  closed(): void {
    this.#writer.close();
    this.#progress.unfollow();
    this.#options.onClosed();
  }

  end(reason: EndReason): void {
    this.#writer.end(reason);
  }

  #comment(): void {
    const { format } = this.#options.request;
    const id = this.#progress.position?.id() ?? this.#writer.idSent;
    const blocks = [heartbeatBlock(format)];
    if (id !== undefined && id !== this.#writer.idSent) blocks.push(idBlock(id, format));
    this.#writer.write(frameOf(blocks), 0, id);
  }
}

/** What a stream does now. */
interface Progress {
  /** Knows the id of the stream's position; undefined: the position is not known yet. */
  position: { id(): string | undefined } | undefined;
  /** Writes what waits for the socket. */
  follower: Follower | undefined;
  unfollow: () => void;
}

const AGAIN_MS = 500;

/** Waits until the broker answers, catches up, and follows the feed. */
const run = async (options: StreamOptions, writer: StreamWriter, progress: Progress): Promise<void> => {
  let { start } = options.request;
  while (!writer.isOver) {
    try {
      const position = await begin(start, options, writer);
      start = { from: "position", position };
      progress.position = position;
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
  const { decoding } = format;
  const schemasKnown =
    decoding && createSchemaWait(decoding, { clock, signal: writer.signal, onError: options.onError });
  while (!writer.isOver && feed.ring !== undefined && !isCovered(position, feed.ring))
    await options.catchUpTurn(() =>
      catchUp({ position, feed, format, filter, clock, broker, memory, writer, schemasKnown }),
    );
  if (writer.isOver) return;
  const follower = new Follower({ feed, writer, format, filter, position, schemasKnown });
  progress.position = follower;
  progress.follower = follower;
  progress.unfollow = feed.follow(follower);
  follower.advance();
};
