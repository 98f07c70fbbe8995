/**
 * Spreads work over turns of the event loop. Each turn begins a limited number of steps; further steps wait for later
 * turns, first come, first served. Between two turns the process handles other input.
 */
import { createFifo } from "./fifo.ts";

export interface LoopTurns {
  /** The number of the current turn. It changes with each turn in which steps begin. */
  readonly number: number;
  /** True: the step may begin now. False: the turn has no step left, or other steps wait; use `later`. */
  tryBegin(): boolean;
  /** Calls `step` in a later turn, after the waiting steps. */
  later(step: () => void): void;
}

/** `nextTurn` calls a function in the next turn, after input has been read. */
export const createLoopTurns = (
  stepsPerTurn: number,
  nextTurn: (begin: () => void) => unknown = setImmediate,
): LoopTurns => {
  const waiting = createFifo<() => void>();
  let begun = 0;
  let number = 0;
  let isScheduled = false;

  const schedule = (): void => {
    if (isScheduled) return;
    isScheduled = true;
    nextTurn(turn);
  };

  const turn = (): void => {
    isScheduled = false;
    begun = 0;
    number += 1;
    while (begun < stepsPerTurn && waiting.size > 0) {
      begun += 1;
      waiting.shift()?.();
    }
    if (begun > 0) schedule();
  };

  return {
    get number() {
      return number;
    },
    tryBegin: () => {
      if (waiting.size > 0 || begun >= stepsPerTurn) return false;
      begun += 1;
      schedule();
      return true;
    },
    later: (step) => {
      waiting.push(step);
      schedule();
    },
  };
};
