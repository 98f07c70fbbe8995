/** Metrics of the spool. The gauges are those of the main process; the workers' values are 0. */
import { Counter, Gauge, type Registry } from "prom-client";

export interface SpoolMetrics {
  /** `read` is called at each scrape, for each gauge. One process of a pod reports its spool. */
  spoolFrom(read: () => Promise<SpoolSamples>): void;
  spoolDrained(events: number): void;
  spoolRefused(events: number): void;
}

export interface SpoolSamples {
  readonly bytes: number;
  readonly maxBytes: number;
  readonly events: number;
  readonly oldestSeconds: number;
}

const NO_SPOOL: SpoolSamples = { bytes: 0, maxBytes: 0, events: 0, oldestSeconds: 0 };

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
  let read = (): Promise<SpoolSamples> => Promise.resolve(NO_SPOOL);
  const gauge = (name: string, help: string, sample: keyof SpoolSamples): void => {
    new Gauge({
      ...{ name, help, registers },
      async collect() {
        this.set((await read())[sample]);
      },
    });
  };
  gauge("stationgate_spool_bytes", "Bytes of the spool's files.", "bytes");
  gauge("stationgate_spool_max_bytes", "spool.maxBytes; 0: there is no spool.", "maxBytes");
  gauge("stationgate_spool_events", "Events in the spool. Those of earlier runs are counted too.", "events");
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
