/** Waits for a state that other processes reach. */
import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds. */
const PAUSE = 300;
const LONGEST_WAIT = 20_000;

/** Repeats the attempt until it succeeds. A broker knows a new topic before its partitions have leaders. */
export const eventually = async (attempt: () => Promise<unknown>): Promise<void> => {
  const deadline = performance.now() + LONGEST_WAIT;
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(PAUSE);
    }
  }
};

/** Reads until two readings are equal. Then the requests that were in flight when the load tool stopped have ended. */
export const settled = async (read: () => Promise<number>): Promise<number> => {
  let before = await read();
  for (;;) {
    await sleep(PAUSE);
    const now = await read();
    if (now === before) return now;
    before = now;
  }
};
