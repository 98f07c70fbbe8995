/** Keeps the calls of one order in their order while a call waits for the schema registry. */
import type { Order } from "./batcher/topic-queue.ts";

interface Turn {
  /** Resolves when the call has what it waits for, and the earlier calls of its order have ended their turns. */
  readonly begun: Promise<unknown>;
  end(): void;
}

export interface Turns {
  /** undefined: the call can begin at once, because neither it nor an earlier call of its order waits. */
  take(order: Order | undefined, waiting: Promise<unknown> | undefined): Turn | undefined;
}

/** `waiting` must not reject. */
export const createTurns = (): Turns => {
  const lastOf = new WeakMap<Order, Promise<void>>();
  return {
    take: (order, waiting) => {
      const before = order && lastOf.get(order);
      if (before === undefined && waiting === undefined) return undefined;
      let release = (): void => undefined;
      const ended = new Promise<void>((resolve) => {
        release = resolve;
      });
      if (order !== undefined) lastOf.set(order, ended);
      return {
        begun: Promise.all([before, waiting]),
        end: () => {
          if (order !== undefined && lastOf.get(order) === ended) lastOf.delete(order);
          release();
        },
      };
    },
  };
};
