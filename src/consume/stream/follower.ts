/** A stream that follows a topic's feed: it takes the blocks of the ring from its own place on. */
import type { Batch } from "./batch.ts";
import { eventBlock, frameOf, gapBlock, type StreamFormat } from "./event-block.ts";
import type { EventFilter } from "./filter.ts";
import type { OwnPosition } from "./own-position.ts";
import type { StreamWriter } from "./stream-writer.ts";
import type { TopicFeed } from "./topic-feed.ts";

export interface FollowerOptions {
  readonly feed: TopicFeed;
  readonly writer: StreamWriter;
  readonly format: StreamFormat;
  /** undefined: all events. */
  readonly filter: EventFilter | undefined;
  /** Where the stream is. The ring must have everything beyond this position. */
  readonly position: OwnPosition;
}

export interface Follower {
  /** Writes the ring's batches until the socket is full. Cuts the stream if the ring doesn't have its next batch any more. */
  readonly advance: () => void;
  /** The id of the stream's position; undefined: it is not known before the next batch is written. */
  readonly id: () => string | undefined;
}

/** Writes what the stream has not sent yet, with ids of the stream's own position. */
const deliverBeyond = (position: OwnPosition, batch: Batch, options: FollowerOptions): void => {
  const { writer, format, filter } = options;
  const blocks = batch.gaps
    .filter(({ partition, to }) => position.pass(partition, to))
    .map((gap) => gapBlock(gap, format));
  let count = 0;
  let newest: string | undefined;
  for (const { record } of batch.events) {
    if (!position.pass(record.partition, record.offset + 1n) || filter?.(record) === false) continue;
    const id = position.nextId();
    blocks.push(eventBlock(record, id, format));
    newest = id ?? newest;
    count += 1;
  }
  batch.after.offsets.forEach((offset, partition) => position.pass(partition, offset));
  if (blocks.length > 0) writer.write(frameOf(blocks), count, newest);
};

const deliverFiltered = (batch: Batch, isWanted: EventFilter, { writer, format }: FollowerOptions): void => {
  const wanted = batch.events.flatMap(({ record }, index) => (isWanted(record) ? [index] : []));
  if (wanted.length === 0) return;
  const { one } = batch.blocks(format);
  const newest = wanted.map((index) => batch.events[index]?.id).findLast((id) => id !== undefined);
  writer.write(frameOf(wanted.map(one)), wanted.length, newest);
};

export const createFollower = (options: FollowerOptions): Follower => {
  const { feed, writer, format, filter } = options;
  /** The stream's own position, until it is the same as the feed's. */
  let own: OwnPosition | undefined = options.position;
  /** The number of the next batch. */
  let cursor = feed.ring === undefined ? 0 : own.firstMissing(feed.ring);
  if (feed.ring !== undefined && own.equals(feed.ring.end)) own = undefined;

  const deliver = (batch: Batch): void => {
    // The first batch of a topic that was created again has gaps for all streams.
    if (own?.topicId !== batch.after.topicId) own = undefined;
    if (own !== undefined) {
      deliverBeyond(own, batch, options);
      if (own.equals(batch.after)) own = undefined;
    } else if (filter === undefined || batch.gaps.length > 0)
      writer.write(batch.blocks(format).all, batch.events.length, batch.lastId);
    else deliverFiltered(batch, filter, options);
  };

  return {
    advance: () => {
      const { ring } = feed;
      while (ring !== undefined && cursor < ring.next && !writer.signal.aborted) {
        const batch = ring.get(cursor);
        if (batch === undefined) writer.cut("behind");
        else if (writer.fullSince !== undefined) return;
        else {
          cursor += 1;
          deliver(batch);
        }
      }
    },
    id: () => {
      if (own !== undefined) return own.id();
      return cursor === feed.ring?.next ? feed.idOf(feed.ring.end) : undefined;
    },
  };
};
