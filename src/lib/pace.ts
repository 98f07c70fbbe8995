/** Loops over what clients send give way to other requests from time to time. */

export interface Pace {
  /** Others have waited long enough: `rest` before the next step. */
  readonly isDue: boolean;
  /** Resolves when the event loop has turned. */
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

/** Steps between two looks at the clock. */
const STEPS = 16;

/** Takes so many steps, giving way to others in between. */
export const paced = async (steps: number, step: (index: number) => void): Promise<void> => {
  const pace = createPace();
  for (let i = 0; i < steps; i++) {
    step(i);
    if (i % STEPS === STEPS - 1 && pace.isDue) await pace.rest();
  }
};
