import { crc32c, Reader, readRecordsBatch } from "@platformatic/kafka";
import fc from "fast-check";
import type { BrokerRecord } from "../../../../src/broker/broker.ts";
import { encodeRecordBatch } from "../../../../src/broker/kafka/produce-request.ts";

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));

const record: fc.Arbitrary<BrokerRecord> = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.array(fc.record({ name: fc.string({ unit: "grapheme" }), value: bytes }), { maxLength: 5 }),
  timestamp: fc.integer({ min: 0, max: 4_102_444_800_000 }),
});

const decoded = (batch: Buffer) => readRecordsBatch(Reader.from(batch));

describe("a record batch", () => {
  it("is read correctly by another Kafka client", () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), (records) => {
        const batch = decoded(encodeRecordBatch(records));
        const first = BigInt(records[0]?.timestamp ?? 0);
        expect(batch.firstTimestamp).toBe(first);
        expect(batch.maxTimestamp).toBe(BigInt(Math.max(...records.map(({ timestamp }) => timestamp))));
        expect(
          batch.records.map(({ key, value, headers, timestampDelta, offsetDelta }) => ({
            key,
            value,
            headers: headers.map(([name, header]) => ({ name: name?.toString(), value: header })),
            timestamp: Number(first + timestampDelta),
            offsetDelta,
          })),
        ).toEqual(records.map((written, offsetDelta) => ({ ...written, offsetDelta })));
      }),
    );
  });

  it("has a checksum, its length and the producer's identity", () => {
    const one = { key: null, value: Buffer.from("v"), headers: [], timestamp: 1 };
    const batch = encodeRecordBatch([one, one], { identity: { producerId: 7n, epoch: 3, baseSequence: 9 } });
    expect(batch.readUInt32BE(17)).toBe(crc32c(batch.subarray(21)));
    expect(batch.readInt32BE(8)).toBe(batch.length - 12);
    expect(decoded(batch)).toMatchObject({
      magic: 2,
      producerId: 7n,
      producerEpoch: 3,
      firstSequence: 9,
      lastOffsetDelta: 1,
    });
  });

  it("compresses its records, not its header", () => {
    const one = { key: null, value: Buffer.alloc(1000, "x"), headers: [], timestamp: 1 };
    const compress = (records: Buffer): Buffer => Buffer.from(records.toString("hex"));
    const plain = encodeRecordBatch([one]);
    const batch = encodeRecordBatch([one], { compression: { attribute: 3, compress } });
    expect(batch.readInt16BE(21)).toBe(3);
    expect(Buffer.from(batch.toString("utf8", 61), "hex")).toEqual(plain.subarray(61));
    expect(batch.readUInt32BE(17)).toBe(crc32c(batch.subarray(21)));
  });
});
