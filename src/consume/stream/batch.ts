/** The events that a topic's feed hands to its streams at once, with blocks that all streams of a format share. */
import type { ConsumedRecord } from "../../broker/broker.ts";
import { recordBytes } from "../../broker/record-bytes.ts";
import { eventBlock, type Frame, frameOf, type Gap, gapBlock, type StreamFormat } from "./event-block.ts";
import type { StreamPosition } from "./stream-id.ts";

export interface FeedEvent {
  readonly record: ConsumedRecord;
  /** The id after this event; undefined: the event has no id, because ids are large. */
  readonly id: string | undefined;
}

export interface BatchContent {
  /** In the order in which the feed read them. A batch with gaps has no events. */
  readonly events: readonly FeedEvent[];
  readonly gaps: readonly Gap[];
  /** The position after the batch. */
  readonly after: StreamPosition;
}

/** The blocks of a batch in one format. */
export interface BatchBlocks {
  /** The blocks of all events. */
  readonly all: Frame;
  /** The block of the event with this index: a slice of `all`. */
  readonly one: (index: number) => Buffer;
}

export interface Batch extends BatchContent {
  /** The newest id in the batch. */
  readonly lastId: string | undefined;
  /** Bytes of the records, without blocks. */
  readonly bytes: number;
  /** True: the blocks of this format exist, so the schemas of the events are known. */
  isBuilt(format: StreamFormat): boolean;
  /** Built once for each format. */
  blocks(format: StreamFormat): BatchBlocks;
}

/** `onBuilt` is called with the bytes of new blocks. */
export const createBatch = (content: BatchContent, onBuilt: (bytes: number) => void): Batch => {
  const { events } = content;
  const built = new Map<StreamFormat, BatchBlocks>();

  const build = (format: StreamFormat): BatchBlocks => {
    const parts = content.gaps.map((gap) => gapBlock(gap, format));
    const bounds = [0];
    for (const { record, id } of events) {
      const block = eventBlock(record, id, format);
      parts.push(block);
      bounds.push((bounds.at(-1) ?? 0) + block.length);
    }
    const all = frameOf(parts);
    onBuilt(all.chunk.length);
    return { all, one: (index) => all.body.subarray(bounds[index], bounds[index + 1]) };
  };

  return {
    ...content,
    lastId: events.findLast(({ id }) => id !== undefined)?.id,
    bytes: events.reduce((sum, { record }) => sum + recordBytes(record), 0),
    isBuilt: (format) => built.has(format),
    blocks: (format) => {
      const known = built.get(format) ?? build(format);
      built.set(format, known);
      return known;
    },
  };
};
