/** The time limit of bodies. One timer serves all bodies with the same limit, because a timer for each costs more than a short body. */

import { LinkedList, type ListEntry } from "../../../lib/linked-list.ts";

/** A body that is arriving. */
export interface Arriving {
  /** Milliseconds of `performance.now()`. */
  readonly deadline: number;
  /** Called once, after the deadline. Must pass the entry of this body to `ended`. */
  onTimeout(): void;
}

export interface BodyTimer {
  /** The deadline of a body that begins now. */
  deadline(): number;
  /** Bodies begin in the order of their deadlines. */
  began(body: Arriving): ListEntry<Arriving>;
  ended(body: ListEntry<Arriving>): void;
}

export const createBodyTimer = (timeoutMs: number): BodyTimer => {
  const oldestFirst = new LinkedList<Arriving>();
  let isRunning = false;

  const check = (): void => {
    const now = performance.now();
    isRunning = false;
    for (let body = oldestFirst.first; body !== undefined; body = oldestFirst.first) {
      if (body.deadline > now) {
        start(Math.ceil(body.deadline - now));
        return;
      }
      body.onTimeout();
    }
  };
  const start = (ms: number): void => {
    isRunning = true;
    // The connections keep the process alive.
    setTimeout(check, ms).unref();
  };

  return {
    deadline: () => performance.now() + timeoutMs,
    began: (body) => {
      if (!isRunning) start(timeoutMs);
      return oldestFirst.add(body);
    },
    ended: (body) => {
      oldestFirst.remove(body);
    },
  };
};
