/** The newest attempts of this process that did not deliver, for who asks why a connector is behind. */
import { LRUCache } from "lru-cache";
import type { AttemptReport, DeliveryObserver } from "./observer.ts";

export interface FailedAttempt extends AttemptReport {
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface RecentFailures {
  readonly attempted: DeliveryObserver["attempted"];
  /** The newest first. */
  of(connector: string): readonly FailedAttempt[];
}

const KEPT = { connectors: 500, attempts: 20 };

/** The newest of all processes together, newest first, as many as one process keeps. */
export const newestOf = (all: readonly (readonly FailedAttempt[])[]): readonly FailedAttempt[] =>
  all
    .flat()
    .sort((one, other) => other.at - one.at)
    .slice(0, KEPT.attempts);

export const createRecentFailures = (now: () => number): RecentFailures => {
  const kept = new LRUCache<string, readonly FailedAttempt[]>({ max: KEPT.connectors });
  const of = (connector: string): readonly FailedAttempt[] => kept.get(connector) ?? [];
  return {
    of,
    attempted: (report) => {
      if (report.outcome === "delivered") return;
      const { connector } = report;
      kept.set(connector, [{ ...report, at: now() }, ...of(connector)].slice(0, KEPT.attempts));
    },
  };
};
