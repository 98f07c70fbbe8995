/** Calls whose failed records are sent again: a later append of the call must not store what comes behind them. */
import type { AppendOutcome, BrokerRecord } from "../../../src/broker/broker.ts";
import { type ErrorCode, GatewayError } from "../../../src/errors.ts";
import { createBatcher } from "../../../src/ingest/batcher/batcher.ts";

const recordOf = (value: string): BrokerRecord => ({
  key: null,
  value: Buffer.from(value),
  headers: [],
  timestamp: 0,
});

const textOf = (outcome: AppendOutcome): string =>
  outcome.status === "failed" ? outcome.error.code : outcome.status;

/** A batcher whose appends have at most two records, and whose broker fails these values. */
const failing = (faults: Readonly<Record<string, ErrorCode>>) => {
  const appends: string[] = [];
  const batcher = createBatcher({
    broker: {
      append: (_topic, records) => {
        const values = records.map(({ value }) => String(value));
        appends.push(values.join(""));
        return Promise.resolve(
          values.map((value): AppendOutcome => {
            const code = faults[value];
            if (code !== undefined) return { status: "failed", error: new GatewayError(code) };
            return { status: "stored", partition: 0, offset: 0n, timestamp: 0 };
          }),
        );
      },
    },
    ...{ deliveryTimeoutMs: 60_000, maxBufferedBytes: 1e6, maxAppendRecords: 2, maxAppendBytes: 1e6 },
  });
  const appendInOrder = async (...values: readonly string[]): Promise<readonly string[]> =>
    (await batcher.appendInOrder("t", values.map(recordOf))).map(textOf);
  return { batcher, appends, appendInOrder };
};

it("sends nothing behind the append with a failed record", async () => {
  const { batcher, appends, appendInOrder } = failing({ c: "BROKER_AMBIGUOUS" });
  expect(await appendInOrder("a", "b", "c", "d", "e", "f")).toEqual([
    ...["stored", "stored", "BROKER_AMBIGUOUS", "stored", "BROKER_UNAVAILABLE", "BROKER_UNAVAILABLE"],
  ]);
  await batcher.close();
  expect(appends).toEqual(["ab", "cd"]);
  expect(batcher.bufferedBytes).toBe(0);
});

it("sends the calls beside it", async () => {
  const { batcher, appends, appendInOrder } = failing({ a: "STATION_UNKNOWN" });
  const outcomes = appendInOrder("a", "b");
  const others = batcher.append("t", ["c", "d"].map(recordOf));
  expect(await outcomes).toEqual(["STATION_UNKNOWN", "BROKER_UNAVAILABLE"]);
  expect((await others).map(textOf)).toEqual(["stored", "stored"]);
  expect(appends).toEqual(["ac", "d"]);
});

it("stores a call of several appends without a fault", async () => {
  const { appends, appendInOrder } = failing({});
  expect(await appendInOrder("a", "b", "c", "d", "e")).toEqual(new Array(5).fill("stored"));
  expect(appends).toEqual(["ab", "cd", "e"]);
});
