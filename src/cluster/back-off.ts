/** When the next worker takes a dead one's place. */

const FIRST_MS = 200;
const LONGEST_MS = 30_000;
/** Who lived so long did not die of its start. */
const STEADY_MS = 60_000;

export interface BackOff {
  /** Milliseconds to wait, after a life of so many milliseconds: twice as long for each short life in a row. */
  next(livedMs: number): number;
}

export const createBackOff = (): BackOff => {
  let shortLives = 0;
  return {
    next: (livedMs) => {
      shortLives = livedMs >= STEADY_MS ? 0 : shortLives + 1;
      return Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, shortLives - 1));
    },
  };
};
