/** Events that were delivered more than once, and which of them break the promise. */
import type { CommitWatch } from "./commits.ts";
import type { Delivery } from "./readers.ts";

export interface Repeat extends Delivery {
  /** When the event was delivered again. */
  readonly again: number;
}

/** `at` is the time of the earlier delivery. */
export const repeatsOf = (deliveries: readonly Delivery[]): readonly Repeat[] => {
  const last = new Map<number, number>();
  return deliveries
    .toSorted((one, other) => one.at - other.at)
    .flatMap(({ n, at }) => {
      const before = last.get(n);
      last.set(n, at);
      return before === undefined ? [] : [{ n, at: before, again: at }];
    });
};

/** Events that were committed this many milliseconds before a fault are not repeated. */
export const COMMITTED_MS = 2000;
/** A client may have the whole answer this many milliseconds after its gateway was killed. */
const ON_THE_WAY_MS = 1000;

/** Repeats of events that were committed for 2 s at each fault that followed their delivery. `faults` are times. */
export const wrongRepeats = (
  deliveries: readonly Delivery[],
  commits: Pick<CommitWatch, "committedAt">,
  faults: readonly number[],
): readonly Repeat[] =>
  repeatsOf(deliveries).filter(({ n, at, again }) => {
    const safeAt = commits.committedAt(n) + COMMITTED_MS;
    return !faults.some((fault) => fault > at - ON_THE_WAY_MS && fault < Math.min(again, safeAt));
  });
