/** Lets long loops over client input pause from time to time, so that other requests are handled. */

export interface Pace {
  /** True if the loop has run too long: call `rest` before the next step. */
  readonly isDue: boolean;
  /** Resolves in the next turn of the event loop. */
  rest(): Promise<void>;
}

const LONGEST_RUN_MS = 20;

export const createPace = (longestRunMs = LONGEST_RUN_MS): Pace => {
  let began = performance.now();
  return {
    get isDue() {
      return performance.now() - began >= longestRunMs;
    },
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
    if (i % STEPS === STEPS - 1 && pace.isDue) await pace.rest();
  }
};
