/**
 * Two ways to divide long work into turns of the event loop, so that the process handles other input between them: turns
 * with a limited number of steps, and pauses of a long loop.
 */
import { createFifo } from "./fifo.ts";

/** Each turn begins a limited number of steps. Further steps wait for later turns, in the order of their calls. */
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

/** For long loops over client input: says when to pause, and pauses. */
interface Pace {
  /** True if the loop has run too long: call `rest` before the next step. */
  isDue(): boolean;
  /** Resolves in the next turn of the event loop. */
  rest(): Promise<void>;
}

const LONGEST_RUN_MS = 20;

export const createPace = (longestRunMs = LONGEST_RUN_MS): Pace => {
  let began = performance.now();
  return {
    isDue: () => performance.now() - began >= longestRunMs,
    rest: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      began = performance.now();
    },
  };
};

/** Steps between two reads of the clock. */
const STEPS = 16;

/** Calls `step` for each index below `steps`, with pauses for other requests. */
export const paced = async (steps: number, step: (index: number) => void): Promise<void> => {
  const pace = createPace();
  for (let i = 0; i < steps; i++) {
    step(i);
    if (i % STEPS === STEPS - 1 && pace.isDue()) await pace.rest();
  }
};
