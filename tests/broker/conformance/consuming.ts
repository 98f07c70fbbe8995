import type { Broker } from "../../../src/broker/broker.ts";
import { GatewayError } from "../../../src/errors.ts";
import { newTopic, numbered, readBack, record, store, subscribe, uniqueName, type Probe } from "./tools.ts";

/** Appends until a record arrives: a reader that starts at the end may need time to find the end. */
const appendUntilReceived = async (broker: Broker, topic: string, probe: Probe): Promise<void> => {
  for (let attempt = 0; probe.records.length === 0; attempt += 1) {
    await store(broker, topic, [record(`late-${attempt}`)]);
    const received = probe.until(() => probe.records.length > 0);
    await Promise.race([received, readBack(broker, topic, attempt + 1)]);
  }
};

export const describeConsuming = (broker: () => Broker): void => {
  describe("a subscription without a group", () => {
    it("reads all partitions from the start, each in order, then new records", async () => {
      const topic = await newTopic(broker(), { partitions: 3 });
      await store(
        broker(),
        topic,
        [0, 1, 2].flatMap((partition) => numbered(3, partition)),
      );
      const reader = await subscribe(broker(), { topics: [topic] });
      await reader.until(() => reader.records.length === 9);
      await store(broker(), topic, [record("late", { partition: 1 })]);
      await reader.until(() => reader.records.length === 10);
      await reader.close();

      expect(reader.values(0)).toEqual(["0", "1", "2"]);
      expect(reader.values(1)).toEqual(["0", "1", "2", "late"]);
      expect(reader.values(2)).toEqual(["0", "1", "2"]);
    });

    it("reads several topics", async () => {
      const topics = [await newTopic(broker()), await newTopic(broker())];
      for (const topic of topics) await store(broker(), topic, [record(topic)]);
      const reader = await subscribe(broker(), { topics });
      await reader.until(() => reader.records.length === 2);
      await reader.close();

      expect([...reader.values()].sort()).toEqual([...topics].sort());
    });

    it("starts at the end with from: latest", async () => {
      const topic = await newTopic(broker());
      await store(broker(), topic, [record("early")]);
      const reader = await subscribe(broker(), { topics: [topic], from: "latest" });
      await reader.until(() => reader.held.length === 1);
      await appendUntilReceived(broker(), topic, reader);
      await reader.close();

      expect(reader.values()).not.toContain("early");
    });

    it("reads independently of other subscriptions", async () => {
      const topic = await newTopic(broker());
      await store(broker(), topic, numbered(3));

      const [one, other] = await Promise.all([readBack(broker(), topic, 3), readBack(broker(), topic, 3)]);
      expect(one).toEqual(other);
    });

    it("can't commit", async () => {
      const topic = await newTopic(broker());
      const reader = await subscribe(broker(), { topics: [topic] });

      await expect(reader.subscription.commit([{ topic, partition: 0, offset: 0n }])).rejects.toBeInstanceOf(
        GatewayError,
      );
      await reader.close();
    });
  });

  describe("a subscription", () => {
    it("gets its assignment before the records", async () => {
      const topic = await newTopic(broker(), { partitions: 2 });
      await store(broker(), topic, numbered(2, 1));
      const heldAtFirst: number[] = [];
      const reader = await subscribe(broker(), {
        topics: [topic],
        whenRecords: (probe) => heldAtFirst.push(probe.held.length),
      });
      await reader.until(() => reader.records.length === 2);

      expect(heldAtFirst[0]).toBe(2);
      expect([...reader.subscription.assignment].sort((a, b) => a.partition - b.partition)).toEqual([
        { topic, partition: 0 },
        { topic, partition: 1 },
      ]);
      await reader.close();
    });

    it("delivers no records of a paused partition, and all of them after resume", async () => {
      const topic = await newTopic(broker(), { partitions: 2 });
      const paused = [{ topic, partition: 0 }];
      const reader = await subscribe(broker(), { topics: [topic] });
      await reader.until(() => reader.held.length === 2);
      reader.subscription.pause(paused);
      await store(broker(), topic, [...numbered(3, 0), ...numbered(3, 1)]);
      await reader.until(() => reader.values(1).length === 3);
      await store(broker(), topic, numbered(3, 1));
      await reader.until(() => reader.values(1).length === 6);

      expect(reader.values(0)).toEqual([]);
      reader.subscription.resume(paused);
      await reader.until(() => reader.values(0).length === 3);
      expect(reader.values(0)).toEqual(["0", "1", "2"]);
      await reader.close();
    });

    it("can pause during a delivery without missing or repeating records", async () => {
      const topic = await newTopic(broker());
      await store(broker(), topic, numbered(2000));
      const partition = [{ topic, partition: 0 }];
      const reader = await subscribe(broker(), {
        topics: [topic],
        whenRecords: (probe) => {
          probe.subscription.pause(partition);
          setImmediate(() => {
            probe.subscription.resume(partition);
          });
        },
      });
      await reader.until(() => reader.records.length >= 2000);
      await reader.close();

      expect(reader.records.map(({ offset }) => Number(offset))).toEqual(
        Array.from({ length: 2000 }, (_, at) => at),
      );
    });

    it.each([
      ["backward", 1n],
      ["forward", 8n],
    ])("continues at the offset of a seek: %s", async (_, offset) => {
      const topic = await newTopic(broker());
      await store(broker(), topic, numbered(5));
      const reader = await subscribe(broker(), { topics: [topic] });
      await reader.until(() => reader.records.length === 5);
      reader.clear();
      reader.subscription.pause([{ topic, partition: 0 }]);
      await store(broker(), topic, numbered(5));
      reader.subscription.seek({ topic, partition: 0, offset });
      reader.subscription.resume([{ topic, partition: 0 }]);
      await reader.until(() => reader.records.at(-1)?.offset === 9n);
      await reader.close();

      expect(reader.records[0]?.offset).toBe(offset);
      expect(reader.records).toHaveLength(Number(10n - offset));
    });

    it("delivers records that keep no more memory than their own size", async () => {
      const topic = await newTopic(broker());
      const large = record("v".repeat(300_000));
      await store(broker(), topic, [large, record("tiny", { key: Buffer.from("k") }), large]);
      const reader = await subscribe(broker(), { topics: [topic] });
      await reader.until(() => reader.records.length === 3);
      await reader.close();
      const [, tiny] = reader.records;

      expect(String(tiny?.value)).toBe("tiny");
      expect(String(tiny?.key)).toBe("k");
      expect(tiny?.value?.buffer.byteLength).toBeLessThan(20_000);
      expect(tiny?.key?.buffer.byteLength).toBeLessThan(20_000);
    });

    it("reads an existing topic while another topic is missing, and the missing topic after its creation", async () => {
      const topic = await newTopic(broker());
      const later = uniqueName("later");
      await store(broker(), topic, [record("now")]);
      const reader = await subscribe(broker(), { group: uniqueName("group"), topics: [topic, later] });
      await reader.until(() => reader.records.length === 1);
      await broker().ensureTopic({ name: later, partitions: 1 });
      await store(broker(), later, [record("later")]);
      await reader.until(() => reader.values().includes("later"));
      await reader.close();

      expect(reader.values()).toContain("now");
    });

    it("delivers nothing after close", async () => {
      const topic = await newTopic(broker());
      const reader = await subscribe(broker(), { topics: [topic] });
      await reader.until(() => reader.held.length === 1);
      await reader.close();
      await store(broker(), topic, numbered(3));
      await readBack(broker(), topic, 3);

      expect(reader.records).toEqual([]);
    });
  });
};
