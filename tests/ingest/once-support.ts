import type { BrokerRecord } from "../../src/broker/broker.ts";
import type { IdSource, SourcedRecord } from "../../src/ingest/event-ids.ts";

export const recordOf = (value: string, key: string | null = null): BrokerRecord => ({
  key: key === null ? null : Buffer.from(key),
  value: Buffer.from(value),
  headers: [{ name: "x-a", value: Buffer.from("1") }],
  timestamp: 1,
});

export const ofStation = (id: string, { strict = true, station = "orders" } = {}): IdSource => ({
  ...{ kind: "event", station, id, window: 1000, strict },
});

export const ofCall = (
  key: string,
  { place = 0, strict = true, payload }: { place?: number; strict?: boolean; payload?: string } = {},
): IdSource => ({ kind: "call", scope: ["call", "app1", key], place, window: 1000, strict, payload });

export const eventOf = (source: IdSource, key: string | null = null): SourcedRecord => ({
  record: recordOf(source.kind === "event" ? source.id : `${source.scope[2] ?? ""}.${source.place}`, key),
  source,
});

export const valuesOf = (records: readonly BrokerRecord[]): readonly string[] =>
  records.map(({ value }) => String(value));

/** Resolves when everything that is due now has happened. */
export const settle = (): Promise<void> => new Promise(setImmediate);
