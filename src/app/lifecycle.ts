/** Closes the parts of the gateway in the reverse order of their start. A failed close doesn't stop the others. */
import type { Logger } from "../observability/logger/logger.ts";

type Close = (leftMs: number) => Promise<void>;

export interface Lifecycle {
  /** Registers the function that closes a started part. It gets the milliseconds that are left for all parts. */
  onClose(name: string, close: Close): void;
  /** Closes all parts, the last one first. Resolves within `graceMs` even if a part is not closed yet. */
  close(graceMs: number): Promise<void>;
}

/** Share of the grace period for closing. The rest is for the last log lines and the exit. */
const ORDERLY_SHARE = 0.95;

export const createLifecycle = (logger: Logger): Lifecycle => {
  const closers: { readonly name: string; readonly close: Close }[] = [];
  /** Name of the part that is being closed. */
  let closing = "";

  const closeAll = async (signal: AbortSignal, until: number): Promise<void> => {
    for (const { name, close } of closers.toReversed()) {
      if (signal.aborted) return;
      closing = name;
      try {
        await close(Math.max(0, until - performance.now()));
      } catch (err) {
        logger.warn({ err, part: name }, "a part could not be closed");
      }
    }
  };

  return {
    onClose: (name, close) => {
      closers.push({ name, close });
    },
    close: async (graceMs) => {
      const orderlyMs = Math.floor(graceMs * ORDERLY_SHARE);
      const abandoned = AbortSignal.timeout(orderlyMs);
      const late = new Promise<void>((resolve) => {
        abandoned.addEventListener("abort", () => {
          logger.warn(
            { part: closing },
            "server.shutdownGrace is over: the process ends before this part and the remaining parts are closed",
          );
          resolve();
        });
      });
      await Promise.race([closeAll(abandoned, performance.now() + orderlyMs), late]);
    },
  };
};
