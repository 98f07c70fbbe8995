/** When to try again: after a random part of a range that doubles (full jitter), and never before the gateway says. */
import type { ProducerOptions } from "./types.ts";

export interface Pace {
  /** Resolves when the next attempt may be made. */
  readonly wait: () => Promise<void>;
  readonly failed: (retryAfter?: number) => void;
  readonly succeeded: () => void;
  /** The gateway asked this page, or another of its tabs, to wait until then. */
  readonly holdUntil: (time: number) => void;
  readonly heldUntil: () => number;
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
  let wake = (): void => undefined;

  const jitter = (): number => Math.random() * Math.min(maxRetryDelay, retryDelay * 2 ** failures);
  const left = (): number => Math.max(ours, theirs) - Date.now();

  return {
    wait: () =>
      left() <= 0
        ? Promise.resolve()
        : new Promise((resolve) => {
            const timer = setTimeout(resolve, left());
            wake = () => {
              clearTimeout(timer);
              resolve();
            };
          }),
    failed: (retryAfter) => {
      const now = Date.now();
      // Beyond the time that was asked for, too, so that not all pages come back at once.
      ours = now + (retryAfter ?? 0) + jitter();
      if (retryAfter !== undefined) theirs = now + retryAfter;
      failures++;
    },
    succeeded: () => {
      failures = ours = 0;
    },
    holdUntil: (time) => {
      theirs = Math.max(theirs, time);
    },
    heldUntil: () => theirs,
    isHeld: () => left() > 0,
    isImposed: () => theirs > Date.now(),
    retryNow: () => {
      failures = ours = 0;
      if (theirs <= Date.now()) wake();
    },
    stopWaiting: () => {
      wake();
    },
  };
};
