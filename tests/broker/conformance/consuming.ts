import type { Broker } from "../../../src/broker/broker.ts";
import { GatewayError } from "../../../src/errors.ts";
import { newTopic, numbered, readBack, record, store, subscribe, uniqueName, type Probe } from "./tools.ts";

/** Appends until something arrives: who starts at the end may have to find the end first. */
const appendUntilHeard = async (broker: Broker, topic: string, probe: Probe): Promise<void> => {
  for (let attempt = 0; probe.records.length === 0; attempt += 1) {
    await store(broker, topic, [record(`late-${attempt}`)]);
    const heard = probe.until(() => probe.records.length > 0);
    await Promise.race([heard, readBack(broker, topic, attempt + 1)]);
  }
};

export const describeConsuming = (broker: () => Broker): void => {
  describe("a subscription without a group", () => {
    it("reads every partition from the start, each in order, and then what comes", async () => {
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

    it("begins at the end where it is asked to", async () => {
      const topic = await newTopic(broker());
      await store(broker(), topic, [record("early")]);
      const reader = await subscribe(broker(), { topics: [topic], from: "latest" });
      await reader.until(() => reader.held.length === 1);
      await appendUntilHeard(broker(), topic, reader);
      await reader.close();

      expect(reader.values()).not.toContain("early");
    });

    it("reads beside others", async () => {
      const topic = await newTopic(broker());
      await store(broker(), topic, numbered(3));

      const [one, other] = await Promise.all([readBack(broker(), topic, 3), readBack(broker(), topic, 3)]);
      expect(one).toEqual(other);
    });

    it("may not commit", async () => {
      const topic = await newTopic(broker());
      const reader = await subscribe(broker(), { topics: [topic] });

      await expect(reader.subscription.commit([{ topic, partition: 0, offset: 0n }])).rejects.toBeInstanceOf(
        GatewayError,
      );
      await reader.close();
    });
  });

  describe("a subscription", () => {
    it("is told its partitions before their records, and knows them", async () => {
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

    it("hands over nothing of a paused partition, and all of it later", async () => {
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

    it("may pause from inside the delivery, and misses and repeats nothing", async () => {
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
      ["back", 1n],
      ["ahead", 8n],
    ])("goes on where it is sent: %s", async (_, offset) => {
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

    it("hands over records that keep no more memory than they are long", async () => {
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

    it("reads one topic while another one doesn't exist, and that one once it does", async () => {
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

    it("hands over nothing once it is closed", async () => {
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
