/**
 * Tells a queue that stands from one that comes and goes, after CoDel (RFC 8289): the length says nothing, and one
 * long wait may be a hiccup. When nobody has come through soon for a while, more is coming than goes out, and who
 * still joins only waits for its time to run out.
 */
export interface StandingQueue {
  /** Somebody has come through, after so many milliseconds. */
  cameThrough(waitedMs: number): void;
  /** A queue that doesn't move at all isn't standing: whatever holds it up may be over in time. */
  readonly stands: boolean;
}

export interface StandingQueueOptions {
  /** Longer waits than this, for as long as this: the queue stands. In milliseconds. */
  readonly longestWaitMs: number;
  /** Milliseconds of a clock that never jumps. */
  readonly now: () => number;
}

export const createStandingQueue = ({ longestWaitMs, now }: StandingQueueOptions): StandingQueue => {
  let slowSince: number | undefined;
  let stands = false;
  return {
    cameThrough: (waitedMs) => {
      if (waitedMs <= longestWaitMs) slowSince = undefined;
      else slowSince ??= now();
      stands = slowSince !== undefined && now() - slowSince >= longestWaitMs;
    },
    get stands() {
      return stands;
    },
  };
};
