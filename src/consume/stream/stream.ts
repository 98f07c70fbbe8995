/**
 * One event stream. It keeps a position and no events. While its position is older than the feed's ring it catches up by
 * reads of its own; then it follows the feed and takes the blocks of the ring.
 */
import { type Clock, pause } from "../../lib/clock.ts";
import type { Broker } from "../../broker/broker.ts";
import { asGatewayError, type GatewayError } from "../../errors.ts";
import type { MemoryBudget } from "../../lib/memory-budget.ts";
import type { Batch } from "./batch.ts";
import { catchUp } from "./catch-up.ts";
import {
  type EndReason,
  endBlock,
  eventBlock,
  type Frame,
  frameOf,
  gapBlock,
  heartbeatBlock,
  idBlock,
  type StreamFormat,
} from "./event-block.ts";
import type { EventFilter } from "./filter.ts";
import { createOwnPosition, isCovered, type OwnPosition } from "./own-position.ts";
import type { Ring } from "./ring.ts";
import { firstPosition, type StreamStart } from "./start.ts";
import type { TopicFeed } from "./topic-feed.ts";

/** The connection of a stream's client. */
export interface StreamOutput {
  /** False: the socket is full. `Stream.drained` must be called when it is not full any more. */
  write(frame: Frame): boolean;
  /** Ends the answer after everything is written. */
  end(): void;
  /** Closes the connection. */
  cut(): void;
}

export type CutReason = "slow" | "behind";

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
  /** The stream continues. */
  readonly onError: (error: GatewayError) => void;
}

export interface Stream {
  /** Number of events that were sent. */
  readonly events: number;
  /** Heartbeats, and the ends of the stream that depend on time. To be called about every second. */
  tick(now: number): void;
  readonly drained: () => void;
  /** The connection is closed. */
  readonly closed: () => void;
  end(reason: EndReason): void;
}

const MAX_FULL_MS = 30_000;
const AGAIN_MS = 500;

export const openStream = (options: StreamOptions): Stream => {
  const { request, feed, clock } = options;
  const { format, filter, output } = request;
  const endsAt = clock.now() + options.maxAgeMs;
  const over = new AbortController();
  let commentedAt = clock.now();
  let fullSince: number | undefined;
  let events = 0;
  let idSent: string | undefined;
  let onDrained = (): void => undefined;
  let unfollow = (): void => undefined;
  /** The number of the next batch of the ring, when the stream follows the feed. */
  let cursor: number | undefined;
  /** The stream's own position, while it is not the one of the feed. */
  let own: OwnPosition | undefined;

  const write = (frame: Frame, count: number, id: string | undefined): void => {
    if (over.signal.aborted) return;
    if (!output.write(frame)) fullSince ??= clock.now();
    idSent = id ?? idSent;
    events += count;
    if (count > 0) options.onEvents(count);
  };

  const finish = (): void => {
    over.abort();
    unfollow();
    onDrained();
  };

  const end = (reason: EndReason): void => {
    if (over.signal.aborted) return;
    write(frameOf([endBlock(reason, format)]), 0, undefined);
    finish();
    output.end();
  };

  const cut = (reason: CutReason): void => {
    if (over.signal.aborted) return;
    options.onCut(reason);
    finish();
    output.cut();
  };

  /** Writes the blocks of a batch that the stream has not sent yet, with ids of the stream's own position. */
  const deliverOwn = ({ events: found, gaps, after }: Batch, position: OwnPosition): void => {
    const blocks = gaps
      .filter((gap) => position.pass(gap.partition, gap.to))
      .map((gap) => gapBlock(gap, format));
    let count = 0;
    let id: string | undefined;
    for (const { record } of found) {
      if (!position.pass(record.partition, record.offset + 1n) || filter?.(record) === false) continue;
      const next = position.nextId();
      blocks.push(eventBlock(record, next, format));
      id = next ?? id;
      count += 1;
    }
    after.offsets.forEach((offset, partition) => position.pass(partition, offset));
    if (position.equals(after)) own = undefined;
    if (blocks.length > 0) write(frameOf(blocks), count, id);
  };

  const deliverFiltered = (batch: Batch, isWanted: EventFilter): void => {
    const wanted = batch.events.flatMap(({ record }, index) => (isWanted(record) ? [index] : []));
    if (wanted.length === 0) return;
    const { one } = batch.blocks(format);
    const id = wanted.map((index) => batch.events[index]?.id).findLast((given) => given !== undefined);
    write(frameOf(wanted.map(one)), wanted.length, id);
  };

  const deliver = (batch: Batch): void => {
    // The batch after a topic was created again has gaps for all streams.
    if (own?.topicId !== batch.after.topicId) own = undefined;
    if (own !== undefined) deliverOwn(batch, own);
    else if (filter === undefined || batch.gaps.length > 0)
      write(batch.blocks(format).all, batch.events.length, batch.lastId);
    else deliverFiltered(batch, filter);
  };

  const advance = (): void => {
    const { ring } = feed;
    if (cursor === undefined || ring === undefined) return;
    while (cursor < ring.next && !over.signal.aborted) {
      const batch = ring.get(cursor);
      if (batch === undefined) cut("behind");
      else if (fullSince !== undefined) return;
      else {
        cursor += 1;
        deliver(batch);
      }
    }
  };

  const join = (ring: Ring, position: OwnPosition): void => {
    cursor = position.firstMissing(ring);
    if (position.equals(ring.end)) own = undefined;
    unfollow = feed.follow({ advance });
    advance();
  };

  const begin = async (start: StreamStart): Promise<OwnPosition> => {
    const { signal } = over;
    const layout = await feed.lookUp();
    const first = await firstPosition(start, layout, { topic: feed.topic, broker: options.broker, signal });
    own = createOwnPosition(feed.topic, first, clock);
    const id = own.id();
    write(frameOf([...first.gaps.map((gap) => gapBlock(gap, format)), idBlock(id, format)]), 0, id);
    return own;
  };

  /** Waits until the broker answers, catches up, and follows the feed. */
  const run = async (): Promise<void> => {
    let start = request.start;
    while (!over.signal.aborted) {
      try {
        const position = await begin(start);
        start = { from: "position", position };
        await catchUpThenJoin(position);
        return;
      } catch (error) {
        const fault = asGatewayError(error);
        // The next position has the gap.
        if (fault.code !== "OFFSET_OUT_OF_RANGE") options.onError(fault);
        await pause(clock, AGAIN_MS, over.signal);
      }
    }
  };

  const catchUpThenJoin = async (position: OwnPosition): Promise<void> => {
    for (;;) {
      const { ring } = feed;
      if (over.signal.aborted || ring === undefined) return;
      if (isCovered(position, ring)) {
        join(ring, position);
        return;
      }
      await options.catchUpTurn(() =>
        catchUp({
          ...{ position, feed, format, filter, clock, broker: options.broker, memory: options.memory },
          signal: over.signal,
          write: async (blocks, count, id) => {
            write(frameOf(blocks), count, id);
            if (fullSince !== undefined && !over.signal.aborted)
              await new Promise<void>((resolve) => (onDrained = resolve));
          },
        }),
      );
    }
  };

  const comment = (): void => {
    const { ring } = feed;
    const blocks = [heartbeatBlock(format)];
    const id = own?.id() ?? (ring !== undefined && cursor === ring.next ? feed.idOf(ring.end) : undefined);
    if (id !== undefined && id !== idSent) blocks.push(idBlock(id, format));
    write(frameOf(blocks), 0, id);
  };

  void run();

  return {
    get events() {
      return events;
    },
    tick: (now) => {
      if (over.signal.aborted) return;
      if (now >= (request.expires ?? Infinity)) end("Unauthorized");
      else if (now >= endsAt) end("age");
      else if (fullSince !== undefined) {
        if (now - fullSince >= MAX_FULL_MS) cut("slow");
      } else if (now - commentedAt >= options.heartbeatMs) {
        commentedAt = now;
        comment();
      }
    },
    drained: () => {
      fullSince = undefined;
      onDrained();
      advance();
    },
    closed: finish,
    end,
  };
};
