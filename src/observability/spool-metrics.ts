/** Metrics of the spool. */
import { Counter, Gauge, type Registry } from "prom-client";

export interface SpoolMetrics {
  /** `read` is called at each scrape. */
  spoolFrom(read: () => SpoolSamples): void;
  spoolDrained(events: number): void;
  spoolRefused(events: number): void;
}

interface SpoolSamples {
  readonly bytes: number;
  readonly events: number;
  readonly oldestSeconds: number;
}

export const spoolMetrics = (registry: Registry): SpoolMetrics => {
  const registers = [registry];
  const drained = new Counter({
    name: "stationgate_spool_drained_total",
    help: "Events that were sent from the spool to Kafka.",
    registers,
  });
  const refused = new Counter({
    name: "stationgate_spool_refused_total",
    help: "Spooled events that Kafka has refused for good. They are in refused/ of the spool.",
    registers,
  });
  let read = (): SpoolSamples => ({ bytes: 0, events: 0, oldestSeconds: 0 });
  const gauge = (name: string, help: string, sample: keyof SpoolSamples): void => {
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(read()[sample]);
      },
    });
  };
  gauge("stationgate_spool_bytes", "Bytes of the spool's files.", "bytes");
  gauge(
    "stationgate_spool_events",
    "Events that this process has spooled and not drained. Events of earlier runs are not counted.",
    "events",
  );
  gauge("stationgate_spool_oldest_seconds", "Age of the oldest event in the spool.", "oldestSeconds");
  return {
    spoolFrom: (given) => {
      read = given;
    },
    spoolDrained: (events) => {
      drained.inc(events);
    },
    spoolRefused: (events) => {
      refused.inc(events);
    },
  };
};
