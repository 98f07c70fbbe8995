import { isIP } from "node:net";
import type { Broker } from "../../../src/broker/broker.ts";
import { newTopic, numbered, readBack, record, store, uniqueName, valueOf } from "./tools.ts";

export const describeTopics = (broker: () => Broker): void => {
  it("has a constant cluster id", async () => {
    const name = await broker().clusterId();

    expect(name).toMatch(/^[\w-]+$/);
    await expect(broker().clusterId()).resolves.toBe(name);
  });

  it("has an address of this machine", async () => {
    expect(isIP(await broker().localAddress())).toBeGreaterThan(0);
  });

  describe("topics", () => {
    it("are created with the requested number of partitions, and listed", async () => {
      const name = await newTopic(broker(), { partitions: 3 });

      expect(await broker().topic(name)).toMatchObject({ name, partitions: 3 });
      expect(await broker().topics()).toContainEqual(expect.objectContaining({ name, partitions: 3 }));
    });

    it("have partitions with leader and replicas", async () => {
      const name = await newTopic(broker(), { partitions: 3 });
      const partitions = await broker().partitions(name);

      expect(partitions?.map(({ partition }) => partition)).toEqual([0, 1, 2]);
      for (const { leader, replicas, inSync } of partitions ?? []) {
        expect(replicas).toContain(leader);
        expect(inSync).toEqual(replicas);
      }
      expect(await broker().partitions(uniqueName("nowhere"))).toBeUndefined();
    });

    it("have at least one partition by default", async () => {
      const info = await broker().ensureTopic({ name: uniqueName("topic") });

      expect(info.partitions).toBeGreaterThan(0);
    });

    it("have an id of their own", async () => {
      const [one, other] = [await newTopic(broker()), await newTopic(broker())];
      const id = await broker().topicId(one);

      expect(id).toMatch(/^[\w-]+$/);
      await expect(broker().topicId(one)).resolves.toBe(id);
      await expect(broker().topicId(other)).resolves.not.toBe(id);
      await expect(broker().topicId(uniqueName("nowhere"))).resolves.toBeUndefined();
    });

    it("stay unchanged if they exist", async () => {
      const name = await newTopic(broker(), { partitions: 3 });
      await store(broker(), name, [record("kept")]);

      expect(await broker().ensureTopic({ name, partitions: 5 })).toMatchObject({ name, partitions: 3 });
      expect((await readBack(broker(), name, 1)).map(valueOf)).toEqual(["kept"]);
    });

    it("can be created by two calls at the same time", async () => {
      const spec = { name: uniqueName("topic"), partitions: 2 };
      const infos = await Promise.all([broker().ensureTopic(spec), broker().ensureTopic(spec)]);

      expect(infos).toMatchObject([spec, spec]);
    });

    it("that don't exist are undefined, and are not created by queries and appends", async () => {
      const name = uniqueName("nowhere");

      expect(await broker().topic(name)).toBeUndefined();
      await broker().append(name, [record("lost")]);
      expect(await broker().topic(name)).toBeUndefined();
      expect((await broker().topics()).map((topic) => topic.name)).not.toContain(name);
    });

    it("that keep their records for a time are created, and are found with the same number of partitions", async () => {
      const spec = { name: uniqueName("topic"), partitions: 3, retentionMs: 86_400_000, logAppendTime: true };

      expect(await broker().ensureTopic(spec)).toMatchObject({ name: spec.name, partitions: 3 });
      expect(await broker().ensureTopic({ ...spec, retentionMs: 90_000_000 })).toMatchObject({
        partitions: 3,
      });
      await expect(broker().ensureTopic({ ...spec, partitions: 4 })).rejects.toMatchObject({
        code: "SETTINGS_INVALID",
        message: `The topic ${spec.name} must have 4 partitions (it has 3); choose another name for it`,
      });
    });

    it("that are compacted keep the newest record of a key", async () => {
      const name = await newTopic(broker(), { compacted: true });
      const key = Buffer.from("k");
      await store(broker(), name, [record("old", { key }), record("new", { key })]);

      expect((await broker().watermarks(name)).map(({ high }) => high)).toEqual([2n]);
      const reading = await readBack(broker(), name, 1);
      expect(reading.map(valueOf).at(-1)).toBe("new");
    });
  });

  describe("watermarks", () => {
    it("are the first and the next offset of each partition", async () => {
      const name = await newTopic(broker(), { partitions: 2 });
      await store(broker(), name, numbered(3, 1));

      const watermarks = await broker().watermarks(name);
      expect([...watermarks].sort((a, b) => a.partition - b.partition)).toEqual([
        { partition: 0, low: 0n, high: 0n },
        { partition: 1, low: 0n, high: 3n },
      ]);
    });
  });

  describe("offsets at a time", () => {
    const start = Date.now() - 60_000;

    it.each([
      ["before all records", start - 1, 0n],
      ["the time of a record", start + 1000, 1n],
      ["between two records", start + 1001, 2n],
      ["after all records", start + 9000, 3n],
    ])("are the offsets of the first record at or after the time: %s", async (_, timestamp, offset) => {
      const topic = await newTopic(broker(), { partitions: 2 });
      await store(
        broker(),
        topic,
        [0, 1000, 2000].map((later) => record("timed", { partition: 0, timestamp: start + later })),
      );

      const offsets = await broker().offsetsAt(topic, timestamp);
      expect([...offsets].sort((a, b) => a.partition - b.partition)).toEqual([
        { topic, partition: 0, offset },
        { topic, partition: 1, offset: 0n },
      ]);
    });
  });
};
