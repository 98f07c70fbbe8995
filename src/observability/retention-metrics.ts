/** Metrics of the embedded log's retention. */
import { Counter, Gauge, type Registry } from "prom-client";

export interface RetentionMetrics {
  recordsFreed(freed: { readonly records: number; readonly bytes: number }): void;
  /** Partitions that keep old records for connectors. */
  partitionsHeld(count: number): void;
}

export const retentionMetrics = (registry: Registry): RetentionMetrics => {
  const registers = [registry];
  const records = new Counter({
    name: "stationgate_retention_freed_records_total",
    help: "Records that retention has freed from the embedded log.",
    registers,
  });
  const bytes = new Counter({
    name: "stationgate_retention_freed_bytes_total",
    help: "Bytes of the records that retention has freed from the embedded log.",
    registers,
  });
  const held = new Gauge({
    name: "stationgate_retention_held_partitions",
    help: "Partitions of the embedded log that keep records beyond broker.embedded.retention, because a connector has not finished them.",
    registers,
  });
  return {
    recordsFreed: (freed) => {
      records.inc(freed.records);
      bytes.inc(freed.bytes);
    },
    partitionsHeld: (count) => {
      held.set(count);
    },
  };
};
