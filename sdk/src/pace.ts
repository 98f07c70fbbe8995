/**
 * When to try again: after a random part of a range that doubles (full jitter), and never before the gateway says. Times
 * are of a clock that nobody can set, so a user who corrects the computer's time ends no wait and makes none longer.
 */
import { later } from "./guard.ts";
import type { ProducerOptions } from "./types.ts";

export interface Pace {
  /** Resolves when the next attempt may be made. */
  readonly wait: () => Promise<void>;
  readonly failed: (retryAfter?: number) => void;
  readonly succeeded: () => void;
  /** The gateway asked this page, or another of its tabs, to wait for so many milliseconds. */
  readonly hold: (ms: number) => void;
  /** Is an attempt too early? */
  readonly isHeld: () => boolean;
  /** Is it by the gateway's wish? */
  readonly isImposed: () => boolean;
  /** The network is back: our own waits are over, the gateway's are not. */
  readonly retryNow: () => void;
  /** Ends the current wait, whoever wished for it. */
  readonly stopWaiting: () => void;
}

export const createPace = ({
  retryDelay = 500,
  maxRetryDelay = 30_000,
}: Pick<ProducerOptions, "retryDelay" | "maxRetryDelay">): Pace => {
  let failures = 0;
  let ours = 0;
  let theirs = 0;
  let look = (_isOver?: boolean): void => undefined;

  const now = (): number => performance.now();
  const jitter = (): number => Math.random() * Math.min(maxRetryDelay, retryDelay * 2 ** failures);
  const left = (): number => Math.max(ours, theirs) - now();

  return {
    wait: () =>
      new Promise((resolve) => {
        let timer: ReturnType<typeof setTimeout> | undefined;
        // A wait that is longer than one timer takes several.
        look = (isOver = left() <= 0) => {
          clearTimeout(timer);
          if (isOver) resolve();
          else timer = later(look, Math.ceil(left()));
        };
        look();
      }),
    failed: (retryAfter) => {
      // Beyond the time that was asked for, too, so that not all pages come back at once.
      ours = now() + (retryAfter ?? 0) + jitter();
      if (retryAfter !== undefined) theirs = now() + retryAfter;
      failures++;
    },
    succeeded: () => {
      failures = ours = 0;
    },
    hold: (ms) => {
      theirs = Math.max(theirs, now() + ms);
    },
    isHeld: () => left() > 0,
    isImposed: () => theirs > now(),
    retryNow: () => {
      failures = ours = 0;
      look();
    },
    stopWaiting: () => {
      look(true);
    },
  };
};
