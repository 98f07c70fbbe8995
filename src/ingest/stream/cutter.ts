/** Cutting a stream of events that arrives in chunks of any size into the texts of single events. */
import type { GatewayError } from "../../errors.ts";

export interface Cut {
  /** Texts that this chunk completed, in order; slices of the chunks where they lie in one. */
  readonly texts: readonly Buffer[];
  /** What makes the rest of the stream unreadable, after these texts: nothing more may be pushed. */
  readonly fault: GatewayError | undefined;
}

/** Holds at most one unfinished text, of at most `maxBytes`. */
export interface Cutter {
  push(chunk: Buffer): Cut;
  /** The stream is over: an unfinished text is completed or a fault. */
  end(): Cut;
}

export interface CutterLimits {
  /** Largest text of one event. */
  readonly maxBytes: number;
}

/** The pieces of one text that lie in several chunks. */
export interface Pieces {
  readonly length: number;
  add(piece: Buffer): void;
  /** The whole text; the pieces are forgotten. */
  take(last: Buffer): Buffer;
}

const SMALLEST = 1024;

/** Pieces are copied together as they come: a text that trickles in byte by byte costs its size, not a buffer a byte. */
export const createPieces = (): Pieces => {
  let held: Buffer = Buffer.alloc(0);
  let length = 0;
  const add = (piece: Buffer): void => {
    if (length + piece.length > held.length) {
      const larger = Buffer.allocUnsafe(Math.max(SMALLEST, 2 * (length + piece.length)));
      held.copy(larger, 0, 0, length);
      held = larger;
    }
    length += piece.copy(held, length);
  };
  return {
    get length() {
      return length;
    },
    add,
    take: (last) => {
      if (length === 0) return last;
      add(last);
      const text = held.subarray(0, length);
      held = Buffer.alloc(0);
      length = 0;
      return text;
    },
  };
};
