/** Metrics of reading over HTTP. */
import { Counter, Histogram, type Registry } from "prom-client";

const FORWARD_OUTCOMES = ["answered", "failed", "moved", "unreachable", "broken", "aborted"] as const;

/**
 * `failed`: the other process answered with an error. `moved`: it doesn't serve the group any more. `unreachable`: it can't be
 * connected. `broken`: the connection broke before the answer. `aborted`: the client left, or the call's waiting time was over.
 */
export type ForwardOutcome = (typeof FORWARD_OUTCOMES)[number];

export interface ReadingMetrics {
  /** A call was forwarded to another process. `seconds` includes the time that the other process waited for events. */
  callForwarded(outcome: ForwardOutcome, seconds: number): void;
  /** A slot has come to this process. */
  homeMoved(): void;
}

/** A read may wait for 300 s. */
const FORWARD_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

export const readingMetrics = (registry: Registry): ReadingMetrics => {
  const registers = [registry];
  const forwarded = new Counter({
    name: "stationgate_reading_forwarded_total",
    help: `Calls forwarded to the process that serves the group, by outcome: ${FORWARD_OUTCOMES.join(", ")}.`,
    labelNames: ["outcome"],
    registers,
  });
  for (const outcome of FORWARD_OUTCOMES) forwarded.inc({ outcome }, 0);
  const duration = new Histogram({
    name: "stationgate_reading_forward_seconds",
    help: "Seconds from forwarding a call to its answer, including the time that the read waits for events.",
    buckets: FORWARD_BUCKETS,
    registers,
  });
  const moved = new Counter({
    name: "stationgate_reading_homes_moved_total",
    help: "Slots of readers' groups that this process has begun to serve.",
    registers,
  });
  return {
    callForwarded: (outcome, seconds) => {
      forwarded.inc({ outcome });
      if (outcome === "answered") duration.observe(seconds);
    },
    homeMoved: () => {
      moved.inc();
    },
  };
};
