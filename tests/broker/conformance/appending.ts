import { randomBytes } from "node:crypto";
import type { Broker, BrokerRecord } from "../../../src/broker/broker.ts";
import {
  codes,
  newTopic,
  numbered,
  readBack,
  record,
  store,
  storedOnly,
  uniqueName,
  valueOf,
} from "./tools.ts";

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

const awkward: readonly (readonly [string, Partial<BrokerRecord>])[] = [
  ["a key and a value", { key: Buffer.from("k"), value: Buffer.from("v") }],
  [
    "binary key, value and header",
    { key: everyByte, value: everyByte, headers: [{ name: "b", value: everyByte }] },
  ],
  ["no key", { key: null }],
  ["an empty key", { key: Buffer.alloc(0) }],
  ["a tombstone", { key: Buffer.from("k"), value: null }],
  ["an empty value", { value: Buffer.alloc(0) }],
  [
    // kafkajs reads the headers. It keeps the order of the values of one name, and groups them by name.
    "repeated headers, an empty header and null headers, in order",
    {
      headers: [
        { name: "b", value: Buffer.from("1") },
        { name: "b", value: Buffer.from("3") },
        { name: "a", value: Buffer.from("2") },
        { name: "größe", value: Buffer.alloc(0) },
        { name: "none", value: null },
        { name: "some", value: Buffer.from("1") },
        { name: "some", value: null },
        { name: "constructor", value: Buffer.from("c") },
      ],
    },
  ],
  ["a value of 200 kB", { value: randomBytes(200_000) }],
];

const FIRST = "first record of the partition";

/**
 * A topic whose leaders have accepted a record each. On a busy Kafka the first append to a new topic may be refused with
 * NOT_LEADER_FOR_PARTITION. With kafkajs this outcome is unknown (see `faultOf` in kafkajs-producer.ts), and a later refusal of
 * the same records is then BROKER_AMBIGUOUS.
 */
const writableTopic = async (broker: Broker, partitions: number, maxRecordBytes: number): Promise<string> => {
  const topic = await newTopic(broker, { partitions, maxRecordBytes });
  const records = Array.from({ length: partitions }, (_, partition) => record(FIRST, { partition }));
  await store(broker, topic, records);
  return topic;
};

export const describeAppending = (broker: () => Broker): void => {
  describe("appending", () => {
    it.each(awkward)("stores byte for byte: %s", async (_, given) => {
      const topic = await newTopic(broker());
      const sent = record("value", { ...given, timestamp: Date.now() - 12_345 });
      const [outcome] = await broker().append(topic, [sent]);

      expect(outcome).toEqual({ status: "stored", partition: 0, offset: 0n, timestamp: sent.timestamp });
      const { key, value, headers, timestamp } = sent;
      const read = await readBack(broker(), topic, 1);
      // As text: jest takes seconds to compare large buffers.
      expect(read.map((each) => ({ ...each, value: each.value?.toString("latin1") }))).toEqual([
        { ...{ topic, partition: 0, offset: 0n, key }, value: value?.toString("latin1"), headers, timestamp },
      ]);
    });

    // Partitions of 6, calculated with the Java client's murmur2.
    it.each([
      ["order-1", 4],
      ["ab", 2],
      ["21", 0],
      ["größe", 2],
    ])("puts key %s into the partition that Kafka's own clients choose", async (key, partition) => {
      const topic = await newTopic(broker(), { partitions: 6 });
      const stored = await store(broker(), topic, [record("keyed", { key: Buffer.from(key) })]);

      expect(stored.map((outcome) => outcome.partition)).toEqual([partition]);
    });

    it("puts all records without a key of one call into one partition, and uses other partitions for later calls", async () => {
      const topic = await newTopic(broker(), { partitions: 4 });
      const used: number[] = [];
      for (let call = 0; call < 4; call += 1) {
        const stored = await store(broker(), topic, [record("a"), record("b"), record("c")]);
        expect(new Set(stored.map(({ partition }) => partition)).size).toBe(1);
        used.push(...stored.map(({ partition }) => partition));
      }

      expect(new Set(used).size).toBeGreaterThan(1);
    });

    it("gives consecutive offsets to the records of concurrent calls", async () => {
      const topic = await newTopic(broker());
      const calls = Array.from({ length: 20 }, (_, call) =>
        store(broker(), topic, numbered(5, 0, `${call}-`)),
      );
      const stored = (await Promise.all(calls)).flat();

      expect(stored.map(({ offset }) => Number(offset)).sort((a, b) => a - b)).toEqual(
        Array.from({ length: 100 }, (_, offset) => offset),
      );
      const read = await readBack(broker(), topic, 100);
      const sent = Array.from({ length: 100 }, (_, index) => `${Math.floor(index / 5)}-${index % 5}`);
      const offsetOf = new Map(sent.map((value, index) => [value, stored[index]?.offset]));
      expect(read.map(({ offset }) => offset)).toEqual(read.map((one) => offsetOf.get(valueOf(one) ?? "")));
    });

    it("keeps the order of one call", async () => {
      const topic = await newTopic(broker());
      const stored = await store(broker(), topic, numbered(50));

      expect(stored.map(({ offset }) => Number(offset))).toEqual(Array.from({ length: 50 }, (_, at) => at));
      expect((await readBack(broker(), topic, 50)).map(valueOf)).toEqual(
        numbered(50).map((one) => String(one.value)),
      );
    });

    it("stores 10,000 records (3 MB) in one call", async () => {
      const topic = await newTopic(broker());
      const records = Array.from({ length: 10_000 }, (_, index) => record(String(index).padEnd(300, ".")));
      const stored = await store(broker(), topic, records);

      expect(stored.map(({ offset }) => Number(offset))).toEqual(records.map((_, index) => index));
      const read = await readBack(broker(), topic, 10_000);
      expect(read.map(valueOf)).toEqual(records.map(({ value }) => value?.toString()));
    });

    it("settles an empty call", async () => {
      expect(await broker().append(await newTopic(broker()), [])).toEqual([]);
    });
  });

  describe("a record that cannot be stored", () => {
    it("fails alone if its partition doesn't exist", async () => {
      const topic = await newTopic(broker(), { partitions: 2 });
      const records = [0, 2, 1, 99].map((partition) => record("placed", { partition }));

      expect(codes(await broker().append(topic, records))).toEqual([
        "stored",
        "PARTITION_UNKNOWN",
        "stored",
        "PARTITION_UNKNOWN",
      ]);
    });

    it("fails alone if it is too large", async () => {
      const topic = await writableTopic(broker(), 1, 100_000);
      const records = [record("before"), record("", { value: randomBytes(200_000) }), record("after")];

      expect(codes(await broker().append(topic, records))).toEqual(["stored", "RECORD_TOO_LARGE", "stored"]);
      expect((await readBack(broker(), topic, 3)).map(valueOf)).toEqual([FIRST, "before", "after"]);
    });

    it("doesn't change the order of the other outcomes", async () => {
      const topic = await writableTopic(broker(), 3, 100_000);
      const outcomes = await broker().append(topic, [
        record("first", { partition: 2 }),
        record("nowhere", { partition: 3 }),
        record("keyed", { key: Buffer.from("ab") }),
        record("", { partition: 1, value: randomBytes(200_000) }),
        record("free"),
        record("last", { partition: 2 }),
      ]);

      expect(codes(outcomes)).toEqual([
        "stored",
        "PARTITION_UNKNOWN",
        "stored",
        "RECORD_TOO_LARGE",
        "stored",
        "stored",
      ]);
      const read = await readBack(broker(), topic, 7);
      const at = (position: { partition: number; offset: bigint } | undefined): string | undefined =>
        read
          .filter(({ partition, offset }) => partition === position?.partition && offset === position.offset)
          .map(valueOf)[0];
      const stored = storedOnly(outcomes.filter(({ status }) => status === "stored"));
      expect(stored.map(at)).toEqual(["first", "keyed", "free", "last"]);
    });

    it("fails with its whole call if the topic doesn't exist", async () => {
      const outcomes = await broker().append(uniqueName("nowhere"), [record("a"), record("b")]);

      expect(codes(outcomes)).toEqual(["STATION_UNKNOWN", "STATION_UNKNOWN"]);
    });
  });

  it("passes its check when it can store", async () => {
    await expect(broker().check()).resolves.toBeUndefined();
  });
};
