/**
 * The time of the next attempt: after a random part of a range that doubles with each failure (full jitter), and never before
 * the gateway's `Retry-After`. The clock is monotonic, so a change of the computer's time does not change a wait.
 */
import { later } from "./guard.ts";
import type { ProducerOptions } from "./types.ts";

export interface Pace {
  /** Resolves when the next attempt may be made. */
  readonly wait: () => Promise<void>;
  readonly failed: (retryAfter?: number) => void;
  readonly succeeded: () => void;
  /** The gateway asked this page or another tab to wait for `ms` milliseconds. */
  readonly hold: (ms: number) => void;
  /** True: an attempt would be too early. */
  readonly isHeld: () => boolean;
  /** True: the gateway asked to wait, and the time is not over. */
  readonly isImposed: () => boolean;
  /** Ends the back-off, because the network is back. A wait that the gateway asked for goes on. */
  readonly retryNow: () => void;
  /** Ends the current wait, also one that the gateway asked for. */
  readonly stopWaiting: () => void;
}

export const createPace = ({
  retryDelay = 500,
  maxRetryDelay = 30_000,
}: Pick<ProducerOptions, "retryDelay" | "maxRetryDelay">): Pace => {
  let failures = 0;
  let backOffUntil = 0;
  let heldUntil = 0;
  let check = (_isOver?: boolean): void => undefined;

  const now = (): number => performance.now();
  const jitter = (): number => Math.random() * Math.min(maxRetryDelay, retryDelay * 2 ** failures);
  const left = (): number => Math.max(backOffUntil, heldUntil) - now();

  return {
    wait: () =>
      new Promise((resolve) => {
        let timer: ReturnType<typeof setTimeout> | undefined;
        // A wait that is longer than one timer takes several.
        check = (isOver = left() <= 0) => {
          clearTimeout(timer);
          if (isOver) resolve();
          else timer = later(check, Math.ceil(left()));
        };
        check();
      }),
    failed: (retryAfter) => {
      // The jitter is added to Retry-After, so that the pages don't all send at the same time.
      backOffUntil = now() + (retryAfter ?? 0) + jitter();
      if (retryAfter !== undefined) heldUntil = now() + retryAfter;
      failures++;
    },
    succeeded: () => {
      failures = backOffUntil = 0;
    },
    hold: (ms) => {
      heldUntil = Math.max(heldUntil, now() + ms);
    },
    isHeld: () => left() > 0,
    isImposed: () => heldUntil > now(),
    retryNow: () => {
      failures = backOffUntil = 0;
      check();
    },
    stopWaiting: () => {
      check(true);
    },
  };
};
