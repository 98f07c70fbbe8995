/** Collects events for the next batch. With many streams a batch waits for further events, so that they need few writes. */
import type { Clock } from "../../lib/clock.ts";
import type { FeedEvent } from "./batch.ts";

const MAX_MS = 40;
const STREAMS_PER_MS = 50;
const MAX_BYTES = 256 * 1024;

export interface Gathering {
  add(event: FeedEvent): void;
  /** Ends the batch now. */
  flush(): void;
  /** Drops the events. */
  close(): void;
}

export interface GatheringOptions {
  readonly clock: Clock;
  readonly countStreams: () => number;
  readonly onBatch: (events: readonly FeedEvent[]) => void;
}

export const createGathering = ({ clock, countStreams, onBatch }: GatheringOptions): Gathering => {
  let events: FeedEvent[] = [];
  let bytes = 0;
  let cancel: (() => void) | undefined;

  const take = (): readonly FeedEvent[] => {
    cancel?.();
    cancel = undefined;
    const taken = events;
    events = [];
    bytes = 0;
    return taken;
  };

  const flush = (): void => {
    const taken = take();
    if (taken.length > 0) onBatch(taken);
  };

  return {
    flush,
    add: (event) => {
      events.push(event);
      bytes += event.record.value?.length ?? 0;
      cancel ??= clock.after(Math.min(MAX_MS, countStreams() / STREAMS_PER_MS), flush);
      if (bytes > MAX_BYTES) flush();
    },
    close: () => void take(),
  };
};
