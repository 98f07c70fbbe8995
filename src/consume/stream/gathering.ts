/** Collects events for the next batch. */
import type { FeedEvent } from "./batch.ts";

const MAX_BYTES = 256 * 1024;

export interface Gathering {
  add(event: FeedEvent): void;
  /** Ends the batch now. */
  flush(): void;
  /** Drops the events. */
  close(): void;
}

export interface GatheringOptions {
  /** `flush` should be called soon. */
  readonly onFirst: () => void;
  readonly onBatch: (events: readonly FeedEvent[], bytes: number) => void;
}

export const createGathering = ({ onFirst, onBatch }: GatheringOptions): Gathering => {
  let events: FeedEvent[] = [];
  let bytes = 0;

  const take = (): readonly FeedEvent[] => {
    const taken = events;
    events = [];
    bytes = 0;
    return taken;
  };

  const flush = (): void => {
    const size = bytes;
    const taken = take();
    if (taken.length > 0) onBatch(taken, size);
  };

  return {
    flush,
    add: (event) => {
      events.push(event);
      bytes += event.record.value?.length ?? 0;
      if (bytes > MAX_BYTES) flush();
      else if (events.length === 1) onFirst();
    },
    close: () => void take(),
  };
};
