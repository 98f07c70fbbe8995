/** The batcher while most brokers of a cluster are away. */
import type { AppendOutcome, BrokerRecord } from "../../../src/broker/broker.ts";
import { createBatcher } from "../../../src/ingest/batcher/batcher.ts";

const record: BrokerRecord = { key: null, value: Buffer.alloc(1), headers: [], timestamp: 0 };
const STORED: AppendOutcome = { status: "stored", partition: 0, offset: 0n, timestamp: 0 };

it("fails new calls at once, and takes them again afterwards", async () => {
  let isLost = false;
  let settle = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const batcher = createBatcher({
    broker: {
      append: async (_, records) => {
        await held;
        return records.map(() => STORED);
      },
      isLost: () => isLost,
    },
    ...{ deliveryTimeoutMs: 60_000, maxBufferedBytes: 1e9, maxAppendRecords: 500, maxAppendBytes: 900_000 },
  });
  const inFlight = batcher.append("t", [record]);
  isLost = true;
  expect(await batcher.append("t", [record])).toMatchObject([{ error: { code: "BROKER_UNAVAILABLE" } }]);
  isLost = false;
  const later = batcher.append("t", [record]);
  settle();
  expect([await inFlight, await later]).toEqual([[STORED], [STORED]]);
});
