import { createPartitioner, murmur2 } from "../../src/broker/partitions.ts";
import type { BrokerRecord } from "../../src/broker/broker.ts";

const record = (given: Partial<BrokerRecord> = {}): BrokerRecord => ({
  key: null,
  value: Buffer.from("v"),
  headers: [],
  timestamp: 0,
  ...given,
});

const topic = { name: "orders", partitions: 6 };

describe("murmur2", () => {
  // Printed by org.apache.kafka.common.utils.Utils.murmur2 of kafka-clients 4.1.0.
  it.each([
    ["", 275646681],
    ["a", -1563381124],
    ["ab", 316155434],
    ["abc", 479470107],
    ["abcd", -1323649548],
    ["order-1", 1221710326],
    ["21", -973932308],
    ["foobar", -790332482],
    ["a-little-bit-long-string", -985981536],
    ["a-little-bit-longer-string", -1486304829],
    ["größe", 588164084],
    ["key-9999", -1873956848],
  ])("hashes %j as the Java client does", (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash);
  });

  it("hashes bytes above 127 as Java's signed bytes", () => {
    expect(murmur2(Buffer.from([0xff, 0x80, 0x00, 0x01, 0xfe, 0xfd, 0xfc]))).toBe(207064707);
  });
});

describe("a partitioner", () => {
  // toPositive(murmur2(key)) % 6, from the same Java classes.
  it.each([
    ["", 3],
    ["a", 4],
    ["ab", 2],
    ["abcd", 2],
    ["21", 0],
    ["a-little-bit-longer-string", 5],
  ])("puts key %j on partition %i of 6", (key, partition) => {
    expect(createPartitioner().choose(topic, [record({ key: Buffer.from(key) })])).toEqual([partition]);
  });

  it("uses the record's own partition if it exists, also for a record with a key", () => {
    const wanted = [5, 6, -1, 0.5, 0].map((partition) => record({ partition, key: Buffer.from("a") }));

    expect(createPartitioner().choose(topic, wanted)).toEqual([5, undefined, undefined, undefined, 0]);
  });

  it("gives all records without a key of one call the same partition, and each call the next partition", () => {
    const partitioner = createPartitioner();
    const calls = Array.from({ length: 12 }, () => partitioner.choose(topic, [record(), record(), record()]));

    expect(calls.map((partitions) => new Set(partitions).size)).toEqual(calls.map(() => 1));
    expect(new Set(calls.slice(0, 6).flat()).size).toBe(6);
    expect(calls.slice(6)).toEqual(calls.slice(0, 6));
  });

  it("keeps the next partition after a call with keys only, and after a call for another topic", () => {
    const partitioner = createPartitioner();
    const [first] = partitioner.choose(topic, [record()]);
    partitioner.choose(topic, [record({ key: Buffer.from("a") })]);
    partitioner.choose({ ...topic, name: "clicks" }, [record()]);

    expect(partitioner.choose(topic, [record()])).toEqual([((first ?? 0) + 1) % 6]);
  });
});
