/** The streams that follow a feed. */
import { createPace } from "../../lib/event-loop.ts";

/** Milliseconds for which streams are written in one turn of the event loop. */
const LONGEST_TURN_MS = 5;

export interface Followers {
  readonly size: number;
  /** Returns the function that removes the follower. */
  readonly add: (follower: { advance(): void }) => () => void;
  /** Lets all followers advance, with pauses for other requests. */
  readonly announce: () => void;
  /** Resolves when no announcement is running. */
  idle(): Promise<void>;
}

export const createFollowers = (): Followers => {
  const followers = new Set<{ advance(): void }>();
  let running = Promise.resolve();
  let isRunning = false;
  let again = false;

  const run = async (): Promise<void> => {
    isRunning = true;
    const pace = createPace(LONGEST_TURN_MS);
    while (again) {
      again = false;
      for (const follower of followers) {
        if (pace.isDue) await pace.rest();
        follower.advance();
      }
    }
    isRunning = false;
  };

  return {
    get size() {
      return followers.size;
    },
    add: (follower) => {
      followers.add(follower);
      return () => {
        followers.delete(follower);
      };
    },
    announce: () => {
      again = true;
      if (!isRunning) running = run();
    },
    idle: () => running,
  };
};
