import type { Clock } from "../../lib/clock.ts";

/** Where items wait for their time; those that leave before are forgotten. */
export interface WaitingRoom<T> {
  readonly size: number;
  wait(item: T, ms: number): void;
  /** Calls off the waits of those items and returns them. */
  dismiss(which: (item: T) => boolean): readonly T[];
}

export const createWaitingRoom = <T>(clock: Clock, onTime: (item: T) => void): WaitingRoom<T> => {
  const waits = new Map<T, () => void>();
  return {
    get size() {
      return waits.size;
    },
    wait(item, ms) {
      const cancel = clock.after(ms, () => {
        waits.delete(item);
        onTime(item);
      });
      waits.set(item, cancel);
    },
    dismiss(which) {
      const dismissed = [...waits.keys()].filter(which);
      for (const item of dismissed) {
        waits.get(item)?.();
        waits.delete(item);
      }
      return dismissed;
    },
  };
};
