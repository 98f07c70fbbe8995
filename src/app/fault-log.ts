/** The log lines of faults from which a part of the program recovers by itself. */
import type { GatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../observability/logger/logger.ts";

/** Milliseconds in which a fault of the same kind is logged once: many slots, groups and attempts may have it at once. */
const SILENCE_MS = 10_000;

/** True if nothing of this kind was logged in the last 10 s. The kinds must be few. */
export const seldom = (clock: Clock): ((kind: string) => boolean) => {
  const loggedAt = new Map<string, number>();
  return (kind) => {
    const now = clock.now();
    if (now - (loggedAt.get(kind) ?? -Infinity) < SILENCE_MS) return false;
    loggedAt.set(kind, now);
    return true;
  };
};

/** Logs a warning with this text, once in 10 s for each error code. */
export const createFaultLog = (logger: Logger, clock: Clock, text: string): ((err: GatewayError) => void) => {
  const isDue = seldom(clock);
  return (err) => {
    if (isDue(err.code)) logger.warn({ err }, text);
  };
};
