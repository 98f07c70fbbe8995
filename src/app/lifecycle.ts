/** What opens registers how it closes; everything is closed in reverse order, whatever fails on the way. */
import type { Logger } from "../observability/logger/logger.ts";

export interface Lifecycle {
  /** Registers the end of something that was just begun. */
  onClose(name: string, close: () => Promise<void>): void;
  /** Closes all, the last one first. Resolves within `graceMs`, whether or not all are closed. */
  close(graceMs: number): Promise<void>;
}

/** Of the grace period; the rest is for the last log lines and the end of the process. */
const ORDERLY_SHARE = 0.95;

export const createLifecycle = (logger: Logger): Lifecycle => {
  const closers: { readonly name: string; readonly close: () => Promise<void> }[] = [];

  const closeAll = async (signal: AbortSignal): Promise<void> => {
    for (const { name, close } of closers.toReversed()) {
      if (signal.aborted) return;
      try {
        await close();
      } catch (err) {
        logger.warn({ err, part: name }, "could not be closed in order");
      }
    }
  };

  return {
    onClose: (name, close) => {
      closers.push({ name, close });
    },
    close: async (graceMs) => {
      const abandoned = AbortSignal.timeout(Math.floor(graceMs * ORDERLY_SHARE));
      const late = new Promise<void>((resolve) => {
        abandoned.addEventListener("abort", () => {
          logger.warn("the time for an orderly end is over");
          resolve();
        });
      });
      await Promise.race([closeAll(abandoned), late]);
    },
  };
};
