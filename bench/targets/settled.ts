import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds. */
const PAUSE = 300;
const LONGEST_WAIT = 20_000;

/** Tries until it works: a broker knows a new topic sooner than it leads the partitions. */
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

/** Reads until two readings are the same: what was under way when a load tool left has ended then. */
export const settled = async (read: () => Promise<number>): Promise<number> => {
  let before = await read();
  for (;;) {
    await sleep(PAUSE);
    const now = await read();
    if (now === before) return now;
    before = now;
  }
};
