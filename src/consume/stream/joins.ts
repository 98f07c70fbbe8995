/** Consecutive batches as one frame, which the streams at the same place share. */
import type { Batch } from "./batch.ts";
import { type Frame, frameOf, type StreamFormat } from "./event-block.ts";
import type { Ring } from "./ring.ts";

export interface Joined {
  readonly batches: readonly Batch[];
  /** Number of events. */
  readonly count: number;
  /** The newest id. */
  readonly lastId: string | undefined;
  /** The blocks of all events, made at the first call. */
  readonly frame: () => Frame;
}

/** A stream that is further behind gets the frames of single batches, because no other stream would share its frame. */
const MOST_BATCHES = 16;
const MOST_BYTES = 64 * 1024;

/** What a ring's streams share until it has a new batch. */
interface Shared {
  readonly next: number;
  readonly byFormat: Map<StreamFormat, Map<number, Joined>>;
}

const sharedBy = new WeakMap<Ring, Shared>();

const sharedOf = (ring: Ring): Shared => {
  const known = sharedBy.get(ring);
  if (known?.next === ring.next) return known;
  const shared = { next: ring.next, byFormat: new Map<StreamFormat, Map<number, Joined>>() };
  sharedBy.set(ring, shared);
  return shared;
};

/** The batches of the ring from this number on that one write sends: the first, which the ring must have, and small ones after it. */
export const joinedFrom = (ring: Ring, number: number, format: StreamFormat): Joined => {
  const { byFormat } = sharedOf(ring);
  const byNumber = byFormat.get(format) ?? new Map<number, Joined>();
  byFormat.set(format, byNumber);
  const joined = byNumber.get(number) ?? joinedOf(batchesFrom(ring, number, format), format);
  byNumber.set(number, joined);
  return joined;
};

const batchesFrom = (ring: Ring, number: number, format: StreamFormat): readonly Batch[] => {
  const end = ring.next - number > MOST_BATCHES ? number + 1 : ring.next;
  const batches: Batch[] = [];
  let bytes = 0;
  for (let at = number; at < end; at++) {
    const batch = ring.get(at);
    bytes += batch?.bytes ?? 0;
    if (batch === undefined || (at > number && (bytes > MOST_BYTES || !mayJoin(batch, format)))) break;
    batches.push(batch);
    if (batch.gaps.length > 0) break;
  }
  return batches;
};

/** The schemas of the batch must be known. */
const mayJoin = (batch: Batch, format: StreamFormat): boolean =>
  batch.gaps.length === 0 && (format.decoding === undefined || batch.isBuilt(format));

const joinedOf = (batches: readonly Batch[], format: StreamFormat): Joined => {
  let frame: Frame | undefined;
  const make = (): Frame => {
    const frames = batches.map((batch) => batch.blocks(format).all);
    const [first] = frames;
    return first !== undefined && frames.length === 1 ? first : frameOf(frames.map(({ body }) => body));
  };
  return {
    batches,
    count: batches.reduce((sum, { events }) => sum + events.length, 0),
    lastId: batches.findLast(({ lastId }) => lastId !== undefined)?.lastId,
    frame: () => (frame ??= make()),
  };
};
