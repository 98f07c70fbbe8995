/** Metrics of once: one event for one id. */
import { type Aggregator, Counter, Gauge, type Registry } from "prom-client";

/** `unchecked`: stored without the check, because the home of the id was not reached (`strict: false`). */
const OUTCOMES = ["stored", "duplicate", "refused", "unavailable", "unchecked"] as const;

export type OnceOutcome = (typeof OUTCOMES)[number];

const LOOKS = ["found", "missing"] as const;

export interface OnceMetrics {
  onceEvents(outcome: OnceOutcome, count: number): void;
  /** Open ids were looked for: their event was found, or it is missing. */
  onceResolved(outcome: (typeof LOOKS)[number], count: number): void;
  /** A slot got this process as its home. */
  onceHomeMoved(): void;
  /** `read` is called at each scrape. */
  onceFrom(read: () => OnceSamples): void;
}

export interface OnceSamples {
  /** Ids without an outcome, of the slots of this process. */
  readonly openIds: number;
  /** Shortest time for which a slot of this process remembers ids; at most `configuredSeconds`. */
  readonly windowSeconds: number;
  /** The longest window of the settings. */
  readonly configuredSeconds: number;
}

export const onceMetrics = (registry: Registry): OnceMetrics => {
  const registers = [registry];
  const events = new Counter({
    name: "stationgate_once_events_total",
    help: "Events with an id, by outcome: stored, duplicate (stored before), refused (by Kafka, or because the key came with another payload), unavailable (no outcome in time), unchecked (stored without the check).",
    labelNames: ["outcome"],
    registers,
  });
  const resolved = new Counter({
    name: "stationgate_once_resolved_total",
    help: "Open ids whose event was looked for in its partition, by outcome: found, missing.",
    labelNames: ["outcome"],
    registers,
  });
  const moved = new Counter({
    name: "stationgate_once_homes_moved_total",
    help: "Slots of ids that this process has taken over.",
    registers,
  });
  // A rate needs the value before the first event.
  for (const outcome of OUTCOMES) events.inc({ outcome }, 0);
  for (const outcome of LOOKS) resolved.inc({ outcome }, 0);
  return {
    onceEvents: (outcome, count) => {
      events.inc({ outcome }, count);
    },
    onceResolved: (outcome, count) => {
      resolved.inc({ outcome }, count);
    },
    onceHomeMoved: () => {
      moved.inc();
    },
    onceFrom: onceGauges(registers),
  };
};

const onceGauges = (registers: Registry[]): OnceMetrics["onceFrom"] => {
  let read = (): OnceSamples => ({ openIds: 0, windowSeconds: 0, configuredSeconds: 0 });
  /** `aggregator`: how the values of several workers become one. */
  const gauge = (
    name: string,
    { help, sample, aggregator }: { help: string; sample: keyof OnceSamples; aggregator: Aggregator },
  ): void => {
    new Gauge({
      ...{ name, help, aggregator, registers },
      collect() {
        this.set(read()[sample]);
      },
    });
  };
  gauge("stationgate_once_open_ids", {
    help: "Ids whose event has no known outcome yet, of the slots of this process.",
    sample: "openIds",
    aggregator: "sum",
  });
  gauge("stationgate_once_window_seconds", {
    help: "Shortest time for which the slots of this process remember ids. It is shorter than the longest window of the settings if once.maxIds is too small.",
    sample: "windowSeconds",
    aggregator: "min",
  });
  gauge("stationgate_once_configured_window_seconds", {
    help: "Longest window of the settings, for the comparison with stationgate_once_window_seconds.",
    sample: "configuredSeconds",
    aggregator: "max",
  });
  return (given) => {
    read = given;
  };
};
