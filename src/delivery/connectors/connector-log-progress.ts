import { GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";

/** Longest wait of a client, for a record of its to come back or for the topic to be read. */
const PATIENCE_MS = 10_000;

/** How far the topic has been read, and promises for positions in it. */
export interface Progress {
  /** Offset of the last record that was read; -1: none was. */
  readonly read: bigint;
  /** Rejects with BROKER_UNAVAILABLE, and these words, when it takes longer than a client should wait. */
  until(reached: () => boolean, otherwise: string): Promise<void>;
  /** To be called when something has changed. */
  check(): void;
  /** false: it has been read before, by a reader that had to begin anew. */
  isNew(offset: bigint): boolean;
}

export const createProgress = (clock: Clock): Progress => {
  const waiters = new Set<() => void>();
  let next = 0n;
  return {
    get read() {
      return next - 1n;
    },
    until: (reached, otherwise) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (!reached()) return;
          waiters.delete(check);
          cancel();
          resolve();
        };
        const cancel = clock.after(PATIENCE_MS, () => {
          waiters.delete(check);
          reject(new GatewayError("BROKER_UNAVAILABLE", { message: otherwise }));
        });
        waiters.add(check);
        check();
      }),
    check: () => {
      for (const waiter of waiters) waiter();
    },
    isNew: (offset) => {
      if (offset < next) return false;
      next = offset + 1n;
      return true;
    },
  };
};
