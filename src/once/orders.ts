/** Calls of one order go to each home one after the other. */

export interface Turn {
  /** An earlier event of this key has ended without an outcome after this call was queued. */
  hasFailed(key: Buffer | null): boolean;
  /** The call has ended; these keys have events without an outcome. */
  end(keys: readonly (Buffer | null)[]): void;
}

export interface Orders {
  /** Resolves when the earlier calls of this order to the slot have ended. `end` of the turn must be called. */
  take(order: object, slot: number): Promise<Turn>;
}

interface Line {
  taken: number;
  ended: number;
  last: Promise<void>;
  /** For each key the number of calls that were queued when it failed. */
  readonly failed: Map<string, number>;
}

export const createOrders = (): Orders => {
  const lines = new WeakMap<object, Map<number, Line>>();

  return {
    take: async (order, slot) => {
      const slots = lines.get(order) ?? new Map<number, Line>();
      lines.set(order, slots);
      const line = slots.get(slot) ?? { taken: 0, ended: 0, last: Promise.resolve(), failed: new Map() };
      slots.set(slot, line);
      const number = line.taken;
      line.taken += 1;
      const before = line.last;
      let pass = (): void => undefined;
      line.last = new Promise((resolve) => {
        pass = resolve;
      });
      await before;
      return {
        hasFailed: (key) => key !== null && number < (line.failed.get(key.toString("latin1")) ?? 0),
        end: (keys) => {
          for (const key of keys) if (key !== null) line.failed.set(key.toString("latin1"), line.taken);
          line.ended += 1;
          if (line.ended === line.taken) slots.delete(slot);
          pass();
        },
      };
    },
  };
};
