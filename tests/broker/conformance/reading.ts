/** Reads of one partition without a group: `Broker.read`. */
import { setMaxListeners } from "node:events";
import type { Broker, PartitionRead, ReadOptions } from "../../../src/broker/broker.ts";
import { newTopic, numbered, record, store, uniqueName, valueOf } from "./tools.ts";

export const readOptions = (given: Partial<ReadOptions> = {}): ReadOptions => ({
  maxBytes: 1024 * 1024,
  maxWaitMs: 0,
  signal: new AbortController().signal,
  ...given,
});

const valuesOf = ({ records }: PartitionRead): readonly (string | undefined)[] => records.map(valueOf);

export const describeReading = (broker: () => Broker): void => {
  describe("a read of a partition", () => {
    const read = (topic: string, offset: bigint, given: Partial<ReadOptions> = {}, partition = 0) =>
      broker().read({ topic, partition, offset }, readOptions(given));

    it("returns the records from an offset on, and the partition's ends", async () => {
      const topic = await newTopic(broker(), { partitions: 2 });
      await store(broker(), topic, [...numbered(5, 0, "a"), ...numbered(3, 1, "b")]);
      const whole = await read(topic, 0n, { maxWaitMs: 5000 });
      expect(valuesOf(whole)).toEqual(["a0", "a1", "a2", "a3", "a4"]);
      expect(whole).toMatchObject({ next: 5n, low: 0n, high: 5n });
      expect(whole.records.map(({ offset }) => offset)).toEqual([0n, 1n, 2n, 3n, 4n]);
      expect(valuesOf(await read(topic, 3n))).toEqual(["a3", "a4"]);
      expect(valuesOf(await read(topic, 1n, {}, 1))).toEqual(["b1", "b2"]);
    });

    it("returns records as they were stored", async () => {
      const topic = await newTopic(broker());
      const headers = [
        { name: "a", value: Buffer.from("1") },
        { name: "b", value: null },
        { name: "a", value: Buffer.alloc(0) },
      ];
      const timestamp = 1_700_000_000_123;
      await store(broker(), topic, [
        record("full", { key: Buffer.from("key"), headers, timestamp }),
        record("", { key: Buffer.alloc(0), value: null, timestamp: timestamp - 5_000_000_000 }),
      ]);
      expect((await read(topic, 0n)).records).toEqual([
        {
          topic,
          partition: 0,
          offset: 0n,
          key: Buffer.from("key"),
          value: Buffer.from("full"),
          headers,
          timestamp,
        },
        {
          topic,
          partition: 0,
          offset: 1n,
          key: Buffer.alloc(0),
          value: null,
          headers: [],
          timestamp: timestamp - 5_000_000_000,
        },
      ]);
    });

    it("returns no more than maxBytes, but one record at least, and continues at next", async () => {
      const topic = await newTopic(broker());
      const large = "x".repeat(1000);
      await store(
        broker(),
        topic,
        Array.from({ length: 5 }, (_, n) => record(`${n}${large}`)),
      );
      const sizes: number[] = [];
      for (let offset = 0n; offset < 5n;) {
        const page = await read(topic, offset, { maxBytes: sizes.length === 0 ? 10 : 2100 });
        expect(page.records[0]?.offset).toBe(offset);
        sizes.push(page.records.length);
        offset = page.next;
      }
      expect(sizes).toEqual([1, 2, 2]);
    });

    it("is empty at the end, after its waiting time", async () => {
      const topic = await newTopic(broker());
      await store(broker(), topic, numbered(2));
      const begun = performance.now();
      expect(await read(topic, 2n, { maxWaitMs: 300 })).toEqual({ records: [], next: 2n, low: 0n, high: 2n });
      expect(performance.now() - begun).toBeGreaterThan(250);
      expect(await read(topic, 2n)).toEqual({ records: [], next: 2n, low: 0n, high: 2n });
    });

    it("ends its wait with the first record", async () => {
      const topic = await newTopic(broker());
      const reading = read(topic, 0n, { maxWaitMs: 50_000 });
      await store(broker(), topic, numbered(1, 0, "new"));
      expect(valuesOf(await reading)).toEqual(["new0"]);
    });

    it("waits in many partitions at once, several times in some, and each gets its own record", async () => {
      const topic = await newTopic(broker(), { partitions: 30 });
      const all = Array.from({ length: 30 }, (_, partition) => partition);
      const reads = [...all, ...all.slice(0, 5)].map((partition) =>
        read(topic, 0n, { maxWaitMs: 50_000 }, partition),
      );
      await store(
        broker(),
        topic,
        all.map((partition) => record(`p${partition}`, { partition })),
      );
      expect((await Promise.all(reads)).map(valuesOf)).toEqual(
        [...all, ...all.slice(0, 5)].map((partition) => [`p${partition}`]),
      );
    });

    it("does not wait for the reads that wait", async () => {
      const topic = await newTopic(broker(), { partitions: 20 });
      const abort = new AbortController();
      setMaxListeners(0, abort.signal);
      const waiting = Array.from({ length: 20 }, (_, partition) =>
        read(topic, 0n, { maxWaitMs: 50_000, signal: abort.signal }, partition).catch(() => undefined),
      );
      for (let turn = 0; turn < 20; turn += 1)
        expect(valuesOf(await read(topic, 0n, {}, turn % 20))).toEqual([]);
      abort.abort();
      await Promise.all(waiting);
    });

    it("refuses an offset beyond the end, and what does not exist", async () => {
      const topic = await newTopic(broker());
      await store(broker(), topic, numbered(2));
      await expect(read(topic, 3n)).rejects.toMatchObject({ code: "OFFSET_OUT_OF_RANGE" });
      await expect(read(topic, 0n, {}, 1)).rejects.toMatchObject({ code: "PARTITION_UNKNOWN" });
      await expect(read(topic, 0n, {}, -1)).rejects.toMatchObject({ code: "PARTITION_UNKNOWN" });
      await expect(read(uniqueName("missing"), 0n)).rejects.toMatchObject({ code: "PARTITION_UNKNOWN" });
    });

    it("ends when it is aborted", async () => {
      const topic = await newTopic(broker());
      const abort = new AbortController();
      const reading = read(topic, 0n, { maxWaitMs: 50_000, signal: abort.signal });
      abort.abort();
      await expect(reading).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
      await expect(read(topic, 0n, { signal: abort.signal })).rejects.toMatchObject({
        code: "BROKER_UNAVAILABLE",
      });
    });
  });
};
