import fc from "fast-check";
import type { BrokerRecord } from "../../../src/broker/broker.ts";
import { countOf, decodeBatch, encodeBatches } from "../../../src/broker/embedded/record-batch.ts";

const at = { topic: "orders", partition: 2, offset: 7n };

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const records: fc.Arbitrary<BrokerRecord[]> = fc.array(
  fc.record({
    key: fc.option(bytes),
    value: fc.option(bytes),
    headers: fc.array(fc.record({ name: fc.string({ unit: "grapheme" }), value: bytes }), { maxLength: 4 }),
    timestamp: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  }),
  { minLength: 1, maxLength: 30 },
);

const ofSize = (size: number): BrokerRecord => ({
  key: null,
  value: Buffer.alloc(size, 1),
  headers: [],
  timestamp: 0,
});

describe("record batches", () => {
  it("decode to the encoded records, at consecutive offsets", () => {
    fc.assert(
      fc.property(records, (given) => {
        const [batch, ...more] = encodeBatches(given);

        expect(more).toEqual([]);
        expect([...decodeBatch(batch?.bytes ?? Buffer.alloc(0), at)]).toEqual(
          given.map((record, index) => ({ ...at, offset: at.offset + BigInt(index), ...record })),
        );
      }),
    );
  });

  it("have a record count that is read without decoding", () => {
    const [batch] = encodeBatches([ofSize(1), ofSize(2), ofSize(3)]);

    expect(batch?.count).toBe(3);
    expect(countOf(batch?.bytes ?? Buffer.alloc(4))).toBe(3);
  });

  it("are limited in size; a record is never split", () => {
    const sizes = [...Array<number>(10).fill(100_000), 5_000_000, 1, 1];
    const batches = encodeBatches(sizes.map(ofSize));
    const decoded = batches.flatMap(({ bytes }) => [...decodeBatch(bytes, at)]);

    expect(batches.map(({ count }) => count)).toEqual([2, 2, 2, 2, 2, 1, 2]);
    expect(decoded.map(({ value }) => value?.length)).toEqual(sizes);
  });

  it("throw a RangeError when truncated", () => {
    const [batch] = encodeBatches([ofSize(100)]);

    expect(() => [...decodeBatch(batch?.bytes.subarray(0, 100) ?? Buffer.alloc(0), at)]).toThrow(RangeError);
  });
});
