/** A stream that follows a topic's feed: it takes the blocks of the ring from its own place on. */
import type { Batch } from "./batch.ts";
import type { SchemasKnown } from "./decoding.ts";
import { eventBlock, frameOf, gapBlock, type StreamFormat } from "./event-block.ts";
import type { EventFilter } from "./filter.ts";
import { joinedFrom } from "./joins.ts";
import type { OwnPosition } from "./own-position.ts";
import type { Ring } from "./ring.ts";
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
  /** undefined: the stream is not decoded. */
  readonly schemasKnown: SchemasKnown | undefined;
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

/** Batches that one write sends. */
const deliverFiltered = (
  batches: readonly Batch[],
  isWanted: EventFilter,
  { writer, format }: FollowerOptions,
): void => {
  const blocks: Buffer[] = [];
  let newest: string | undefined;
  for (const batch of batches) {
    batch.events.forEach(({ record, id }, index) => {
      if (!isWanted(record)) return;
      blocks.push(batch.blocks(format).one(index));
      newest = id ?? newest;
    });
  }
  if (blocks.length > 0) writer.write(frameOf(blocks), blocks.length, newest);
};

export class Follower {
  readonly #options: FollowerOptions;
  /** The stream's own position, until it is the same as the feed's. */
  #own: OwnPosition | undefined;
  /** The number of the next batch. */
  #cursor: number;
  /** The registry is asked for the schemas of the next batch. */
  #isAsking = false;

  constructor(options: FollowerOptions) {
    const { feed, position } = options;
    this.#options = options;
    this.#cursor = feed.ring === undefined ? 0 : position.firstMissing(feed.ring);
    this.#own = feed.ring !== undefined && position.equals(feed.ring.end) ? undefined : position;
  }

  /** Writes the ring's batches until the socket is full. Cuts the stream if the ring doesn't have its next batch any more. */
  advance(): void {
    const { feed, writer } = this.#options;
    const { ring } = feed;
    while (ring !== undefined && this.#cursor < ring.next && !writer.isOver) {
      const batch = ring.get(this.#cursor);
      if (batch === undefined) writer.cut("behind");
      else if (writer.fullSince !== undefined || this.#isAsking || this.#mustAsk(batch)) return;
      else this.#deliver(batch, ring);
    }
  }

  /** The id of the stream's position; undefined: it is not known before the next batch is written. */
  id(): string | undefined {
    const { feed } = this.#options;
    if (this.#own !== undefined) return this.#own.id();
    return this.#cursor === feed.ring?.next ? feed.idOf(feed.ring.end) : undefined;
  }

  /** Writes the batch, and with it the next ones if one write can send them. */
  #deliver(batch: Batch, ring: Ring): void {
    const { writer, format, filter } = this.#options;
    // The first batch of a topic that was created again has gaps for all streams.
    if (this.#own?.topicId !== batch.after.topicId) this.#own = undefined;
    if (this.#own !== undefined) {
      this.#cursor += 1;
      deliverBeyond(this.#own, batch, this.#options);
      if (this.#own.equals(batch.after)) this.#own = undefined;
      return;
    }
    const joined = joinedFrom(ring, this.#cursor, format);
    this.#cursor += joined.batches.length;
    if (filter === undefined || batch.gaps.length > 0)
      writer.write(joined.frame(), joined.count, joined.lastId);
    else deliverFiltered(joined.batches, filter, this.#options);
  }

  /** False: the schemas of the batch are known. */
  #mustAsk(batch: Batch): boolean {
    const { format, schemasKnown } = this.#options;
    if (schemasKnown === undefined || batch.isBuilt(format)) return false;
    const known = schemasKnown(batch.events.map(({ record }) => record));
    this.#isAsking = known !== undefined;
    void known?.then(() => {
      this.#isAsking = false;
      this.advance();
    });
    return this.#isAsking;
  }
}
