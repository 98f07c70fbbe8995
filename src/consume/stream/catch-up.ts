/** Reads the events between a stream's position and the feed's ring, at the pace of the stream's client. */
import type { Broker, ConsumedRecord } from "../../broker/broker.ts";
import { GatewayError } from "../../errors.ts";
import { type Clock, pause } from "../../lib/clock.ts";
import type { MemoryBudget } from "../../lib/memory-budget.ts";
import type { SchemasKnown } from "./decoding.ts";
import { eventBlock, frameOf, type StreamFormat } from "./event-block.ts";
import type { EventFilter } from "./filter.ts";
import { isCovered, type OwnPosition } from "./own-position.ts";
import type { StreamWriter } from "./stream-writer.ts";
import type { TopicFeed } from "./topic-feed.ts";

export interface CatchUpParts {
  readonly position: OwnPosition;
  readonly feed: TopicFeed;
  readonly format: StreamFormat;
  readonly filter: EventFilter | undefined;
  readonly broker: Pick<Broker, "read">;
  readonly clock: Clock;
  readonly memory: MemoryBudget;
  readonly writer: StreamWriter;
  /** undefined: the stream is not decoded. */
  readonly schemasKnown: SchemasKnown | undefined;
}

/** Maximum bytes of one read; a single larger record is read alone. */
const READ_BYTES = 256 * 1024;
/** The records of a read, their blocks, and the bytes that are being written. */
const MEMORY_BYTES = 3 * READ_BYTES;
const AGAIN_MS = 100;

/**
 * Resolves when the ring has everything that the stream lacks, or when the stream is over. Rejects with the errors of
 * `Broker.read`, and with OFFSET_OUT_OF_RANGE if the topic was created again.
 */
export const catchUp = async (parts: CatchUpParts): Promise<void> => {
  const { memory, clock, writer } = parts;
  const { signal } = writer;
  while (!memory.tryTake(MEMORY_BYTES)) {
    await pause(clock, AGAIN_MS, signal);
    if (isOver(signal)) return;
  }
  try {
    while (!isOver(signal) && !isDone(parts)) {
      if (!(await readAll(parts))) await pause(clock, AGAIN_MS, signal);
    }
  } finally {
    memory.give(MEMORY_BYTES);
  }
};

const isOver = (signal: AbortSignal): boolean => signal.aborted;

const isDone = ({ position, feed: { ring } }: CatchUpParts): boolean => {
  if (ring === undefined) return true;
  if (ring.start.topicId !== position.topicId)
    throw new GatewayError("OFFSET_OUT_OF_RANGE", { message: "The topic was deleted and created again" });
  return isCovered(position, ring);
};

/** Reads each partition once that is behind the ring. False: no partition has moved, because a transaction is open. */
const readAll = async (parts: CatchUpParts): Promise<boolean> => {
  const { position, feed, broker, writer } = parts;
  const { signal } = writer;
  const target = feed.ring?.start.offsets ?? [];
  let hasMoved = false;
  for (const [partition, end] of target.entries()) {
    const offset = position.offsets[partition] ?? 0n;
    if (offset >= end) continue;
    const from = { topic: feed.topic, partition, offset };
    const { records, next } = await broker.read(from, { maxBytes: READ_BYTES, maxWaitMs: 0, signal });
    await parts.schemasKnown?.(records);
    if (isOver(signal)) return true;
    await send(records, parts, { partition, next });
    hasMoved ||= next > offset;
  }
  return hasMoved;
};

const send = async (
  records: readonly ConsumedRecord[],
  { position, format, filter, writer }: CatchUpParts,
  { partition, next }: { readonly partition: number; readonly next: bigint },
): Promise<void> => {
  const blocks: Buffer[] = [];
  let newest: string | undefined;
  for (const record of records) {
    position.pass(partition, record.offset + 1n);
    if (filter?.(record) === false) continue;
    const id = position.nextId();
    blocks.push(eventBlock(record, id, format));
    newest = id ?? newest;
  }
  position.pass(partition, next);
  if (blocks.length > 0) writer.write(frameOf(blocks), blocks.length, newest);
  await writer.writable();
};
