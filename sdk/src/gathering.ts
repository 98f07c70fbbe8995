/** Delays sending until the events fill a batch, or the first of them has waited for `linger` ms. */
import { later } from "./guard.ts";
import type { ProducerOptions } from "./types.ts";

export interface Gathering {
  /** Counts an event of `size` bytes. */
  readonly add: (size: number) => void;
  readonly end: () => void;
}

export const createGathering = (
  { maxBatchEvents = 100, maxBatchBytes = 262_144, linger = 1000 }: ProducerOptions,
  onFull: () => void,
): Gathering => {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let events = 0;
  let bytes = 0;

  const end = (): void => {
    clearTimeout(timer);
    timer = undefined;
    events = bytes = 0;
  };
  const go = (): void => {
    end();
    onFull();
  };
  return {
    end,
    add: (size) => {
      bytes += size;
      if (++events >= maxBatchEvents || bytes >= maxBatchBytes) go();
      else timer ??= later(go, linger);
    },
  };
};
