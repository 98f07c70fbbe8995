/** How long a call looks for the home of its slot. */
import type { Clock } from "../lib/clock.ts";
import { ENTER_MS } from "./slot.ts";

const LEAST_WAIT_MS = 8000;
/** An attempt that took longer was served by a home. It did not only wait for a home that reads its slot. */
const SERVED_MS = ENTER_MS + 1000;

interface Search {
  /** Milliseconds that are left of the call's waiting time. */
  leftMs(): number;
  /** False: the time is over, or this process has had no contact with the group for too long. */
  goesOn(): boolean;
  noteMoved(): void;
}

/** `isFresh`: this process has contact with the group of the processes. */
export const createSearch = (clock: Pick<Clock, "now">, waitMs: number, isFresh: () => boolean): Search => {
  const began = clock.now();
  let until = began + Math.max(waitMs, LEAST_WAIT_MS);
  let attemptAt = began;
  let contactAt = began;
  return {
    leftMs: () => Math.max(0, began + waitMs - clock.now()),
    goesOn: () => {
      attemptAt = clock.now();
      if (isFresh()) contactAt = attemptAt;
      return attemptAt < Math.min(until, contactAt + LEAST_WAIT_MS);
    },
    // A home has served the call for a while, until the slot moved: the next home gets the same time as the first one.
    noteMoved: () => {
      const now = clock.now();
      if (now - attemptAt > SERVED_MS) until = Math.max(until, now + LEAST_WAIT_MS);
    },
  };
};
