/** Decides which events have an id: all of them while ids are short; large ids are sent at most ten times a second. */
import type { Clock } from "../../lib/clock.ts";
import { idWriter } from "./stream-id.ts";

export interface IdTurns {
  /** The id of this position; undefined: the event has no id. */
  next(offsets: readonly bigint[]): string | undefined;
  /** The id of this position, whatever its size. */
  of(offsets: readonly bigint[]): string;
}

const LARGE_BYTES = 512;
const LARGE_EVERY_MS = 100;

export const createIdTurns = (topic: string, topicId: string, clock: Clock): IdTurns => {
  const idOf = idWriter(topic, topicId);
  let length = 0;
  let writtenAt = 0;

  const write = (offsets: readonly bigint[]): string => {
    const id = idOf(offsets);
    length = id.length;
    writtenAt = clock.now();
    return id;
  };

  return {
    of: write,
    next: (offsets) => {
      if (length > LARGE_BYTES && clock.now() - writtenAt < LARGE_EVERY_MS) return undefined;
      return write(offsets);
    },
  };
};
