/** Conditions that become true by later calls, for example of a handler. */
export interface Changes {
  /** Checks all conditions that a test waits for. */
  readonly changed: () => void;
  /** Resolves when the condition holds. It is checked now and at each `changed`. */
  readonly until: (holds: () => boolean) => Promise<void>;
}

export const createChanges = (): Changes => {
  const waiting = new Set<() => void>();
  return {
    changed: () => {
      for (const check of waiting) check();
    },
    until: (holds) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!holds()) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
  };
};
