/** Events for the tests of filters and transforms. */
import type { ConsumedRecord } from "../../../src/broker/broker.ts";

export const recordOf = (value: unknown, more: Partial<ConsumedRecord> = {}): ConsumedRecord => ({
  topic: "orders",
  partition: 3,
  offset: 7n,
  key: Buffer.from("k1"),
  value: Buffer.from(JSON.stringify(value)),
  headers: [{ name: "X-Event-Type", value: Buffer.from("order.paid") }],
  timestamp: Date.parse("2026-03-01T10:00:00Z"),
  ...more,
});
