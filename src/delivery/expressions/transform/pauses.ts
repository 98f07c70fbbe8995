/** Pauses of expressions that were stopped at a limit. */
import { LRUCache } from "lru-cache";
import type { Clock } from "../../../lib/clock.ts";

interface Pause {
  /** Milliseconds of the monotonic clock. */
  readonly until: number;
  readonly ms: number;
}

const FIRST_MS = 1000;
const LONGEST_MS = 60_000;
/** An expression that wasn't stopped for this time after a pause begins with the first pause again. */
const FORGOTTEN_MS = 60_000;
const MAX_EXPRESSIONS = 10_000;

export interface Pauses {
  /** Milliseconds until the expression may run. */
  remaining(expression: string): number;
  stopped(expression: string): void;
}

export const createPauses = (clock: Clock): Pauses => {
  const pauses = new LRUCache<string, Pause>({ max: MAX_EXPRESSIONS });
  return {
    remaining: (expression) => Math.max(0, (pauses.get(expression)?.until ?? 0) - clock.monotonic()),
    stopped: (expression) => {
      const now = clock.monotonic();
      const last = pauses.get(expression);
      const isRepeated = last !== undefined && now < last.until + FORGOTTEN_MS;
      const ms = isRepeated ? Math.min(last.ms * 2, LONGEST_MS) : FIRST_MS;
      pauses.set(expression, { ms, until: now + ms });
    },
  };
};
