import type { Broker } from "../../../src/broker/broker.ts";
import { GatewayError } from "../../../src/errors.ts";
import { newTopic, numbered, store, subscribe, uniqueName } from "./tools.ts";

/** The offsets that a new member of the group reads, up to the offset `last`. */
const offsetsFor = async (
  broker: Broker,
  { group, topic, last }: { group: string; topic: string; last: bigint },
): Promise<readonly bigint[]> => {
  const member = await subscribe(broker, { group, topics: [topic] });
  await member.until(() => member.records.some(({ offset }) => offset === last));
  await member.close();
  return member.records.map(({ offset }) => offset);
};

export const describePositions = (broker: () => Broker): void => {
  describe("positions of a group", () => {
    it("are where the next member continues", async () => {
      const topic = await newTopic(broker());
      const group = uniqueName("group");
      await store(broker(), topic, numbered(5));
      const member = await subscribe(broker(), { group, topics: [topic] });
      await member.until(() => member.records.length === 5);
      await member.subscription.commit([{ topic, partition: 0, offset: 3n }]);
      await member.close();

      expect(await broker().committed(group, topic)).toEqual([{ topic, partition: 0, offset: 3n }]);
      expect(await offsetsFor(broker(), { group, topic, last: 4n })).toEqual([3n, 4n]);
    });

    it("can decrease", async () => {
      const topic = await newTopic(broker());
      const group = uniqueName("group");
      await store(broker(), topic, numbered(5));
      const member = await subscribe(broker(), { group, topics: [topic] });
      await member.until(() => member.records.length === 5);
      await member.subscription.commit([{ topic, partition: 0, offset: 5n }]);
      await member.subscription.commit([{ topic, partition: 0, offset: 2n }]);
      await member.close();

      expect(await offsetsFor(broker(), { group, topic, last: 4n })).toEqual([2n, 3n, 4n]);
    });

    it("start at the first record if nothing was committed", async () => {
      const topic = await newTopic(broker());
      const group = uniqueName("group");
      await store(broker(), topic, numbered(2));

      expect(await offsetsFor(broker(), { group, topic, last: 1n })).toEqual([0n, 1n]);
      expect(await offsetsFor(broker(), { group, topic, last: 1n })).toEqual([0n, 1n]);
    });

    it("are returned for the partitions that have one", async () => {
      const topic = await newTopic(broker(), { partitions: 3 });
      const group = uniqueName("group");
      await store(broker(), topic, numbered(4, 1));

      expect(await broker().committed(group, topic)).toEqual([]);
      await broker().setCommitted(group, [{ topic, partition: 1, offset: 2n }]);
      expect(await broker().committed(group, topic)).toEqual([{ topic, partition: 1, offset: 2n }]);
      expect(await broker().committed(uniqueName("group"), topic)).toEqual([]);
    });

    it("can be set without a member", async () => {
      const topic = await newTopic(broker());
      const group = uniqueName("group");
      await store(broker(), topic, numbered(5));
      await broker().setCommitted(group, [{ topic, partition: 0, offset: 4n }]);

      expect(await offsetsFor(broker(), { group, topic, last: 4n })).toEqual([4n]);
    });

    it("are deleted with the group", async () => {
      const topic = await newTopic(broker());
      const group = uniqueName("group");
      await store(broker(), topic, numbered(2));
      await broker().setCommitted(group, [{ topic, partition: 0, offset: 2n }]);
      await broker().deleteGroup(group);

      expect(await broker().committed(group, topic)).toEqual([]);
      expect(await offsetsFor(broker(), { group, topic, last: 1n })).toEqual([0n, 1n]);
    });

    it("keep their metadata, which the next member gets before its first record", async () => {
      const topic = await newTopic(broker());
      const group = uniqueName("group");
      await store(broker(), topic, numbered(3));
      const position = { topic, partition: 0, offset: 1n, metadata: "finished".repeat(500) };
      const first = await subscribe(broker(), { group, topics: [topic] });
      await first.until(() => first.records.length === 3);
      await first.subscription.commit([position]);
      await first.close();
      const startsAtFirst: number[] = [];
      const second = await subscribe(broker(), {
        group,
        topics: [topic],
        whenRecords: ({ starts }) => startsAtFirst.push(starts.length),
      });
      await second.until(() => second.records.length === 2);
      await second.subscription.commit([{ topic, partition: 0, offset: 3n }]);
      await second.close();

      expect(first.starts).toEqual([]);
      expect(second.starts).toEqual([position]);
      expect(startsAtFirst[0]).toBe(1);
      expect(await broker().committed(group, topic)).toEqual([{ topic, partition: 0, offset: 3n }]);
    });

    it("are set only for the partitions that the condition accepts, given the stored offset", async () => {
      const topic = await newTopic(broker(), { partitions: 2 });
      const group = uniqueName("group");
      const at = (partition: number, offset: bigint) => ({ topic, partition, offset });
      const offered: (bigint | undefined)[] = [];
      await broker().setCommitted(group, [at(0, 4n)]);
      await broker().setCommitted(group, [at(0, 2n), at(1, 3n)], ({ offset }, stored) => {
        offered.push(stored);
        return stored === undefined || stored < offset;
      });

      expect(offered).toEqual([4n, undefined]);
      expect(await broker().committed(group, topic)).toEqual([at(0, 4n), at(1, 3n)]);
    });

    it("of an unknown group can be deleted", async () => {
      await expect(broker().deleteGroup(uniqueName("group"))).resolves.toBeUndefined();
    });

    it("can't be set or deleted while the group has members", async () => {
      const topic = await newTopic(broker());
      const group = uniqueName("group");
      const member = await subscribe(broker(), { group, topics: [topic] });
      await member.until(() => member.held.length === 1);

      await expect(
        broker().setCommitted(group, [{ topic, partition: 0, offset: 0n }]),
      ).rejects.toBeInstanceOf(GatewayError);
      await expect(broker().deleteGroup(group)).rejects.toBeInstanceOf(GatewayError);
      await member.close();
      await expect(broker().deleteGroup(group)).resolves.toBeUndefined();
    });
  });
};
