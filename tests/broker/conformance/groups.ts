import type { Broker, TopicPartition } from "../../../src/broker/broker.ts";
import { newTopic, numbered, store, subscribe, uniqueName, type Probe } from "./tools.ts";

const partitionsOf = (held: readonly TopicPartition[]): readonly number[] =>
  held.map(({ partition }) => partition);

/** Resolves once all partitions are assigned, and each member has at least one. */
const untilShared = async (members: readonly Probe[], partitions: number): Promise<void> => {
  const shared = (): boolean => {
    const all = members.flatMap(({ held }) => held);
    return all.length === partitions && members.every(({ held }) => held.length > 0);
  };
  while (!shared()) await Promise.any(members.map((member) => untilReassigned(member, shared)));
};

/** Resolves at the member's next assignment, or once `enough` returns true. */
const untilReassigned = (member: Probe, enough: () => boolean): Promise<void> => {
  const before = member.held;
  return member.until(() => member.held !== before || enough());
};

const storeOnEach = (broker: Broker, topic: string, partitions: number, prefix: string): Promise<unknown> =>
  store(
    broker,
    topic,
    Array.from({ length: partitions }, (_, partition) =>
      numbered(1, partition, `${prefix}${partition}-`),
    ).flat(),
  );

export const describeGroups = (broker: () => Broker): void => {
  describe("a group", () => {
    it("shares the partitions among its members when members join and leave", async () => {
      const topic = await newTopic(broker(), { partitions: 4 });
      const group = uniqueName("group");
      const first = await subscribe(broker(), { group, topics: [topic] });
      await first.until(() => first.held.length === 4);
      const second = await subscribe(broker(), { group, topics: [topic] });
      await untilShared([first, second], 4);

      const held = [...partitionsOf(first.held), ...partitionsOf(second.held)];
      expect(held.sort()).toEqual([0, 1, 2, 3]);
      await storeOnEach(broker(), topic, 4, "shared-");
      await Promise.all(
        [first, second].map((member) =>
          member.until(() =>
            partitionsOf(member.held).every((one) => member.values(one).includes(`shared-${one}-0`)),
          ),
        ),
      );

      await first.close();
      await second.until(() => second.held.length === 4);
      await storeOnEach(broker(), topic, 4, "alone-");
      await second.until(() => [0, 1, 2, 3].every((one) => second.values(one).includes(`alone-${one}-0`)));
      await second.close();
    });

    it("assigns each member only partitions of its own topics", async () => {
      const topics = [
        await newTopic(broker(), { partitions: 3 }),
        await newTopic(broker(), { partitions: 2 }),
      ];
      const group = uniqueName("group");
      const members = await Promise.all(
        topics.map((topic) => subscribe(broker(), { group, topics: [topic] })),
      );
      while (!members.every(({ held }, i) => held.length === 3 - i))
        await Promise.any(members.map((member) => untilReassigned(member, () => false)));
      expect(members.map(({ held }) => [...new Set(held.map(({ topic }) => topic))])).toEqual(
        topics.map((topic) => [topic]),
      );
      for (const [i, topic] of topics.entries()) await storeOnEach(broker(), topic, 3 - i, `own-${i}-`);
      await Promise.all(members.map((member, i) => member.until(() => member.records.length === 3 - i)));
      await Promise.all(members.map((member) => member.close()));
    });

    it("can have more members than partitions", async () => {
      const topic = await newTopic(broker());
      const group = uniqueName("group");
      const members = [
        await subscribe(broker(), { group, topics: [topic] }),
        await subscribe(broker(), { group, topics: [topic] }),
      ];
      await store(broker(), topic, numbered(1));
      await Promise.any(members.map((member) => member.until(() => member.records.length > 0)));
      await Promise.all(members.map((member) => member.close()));

      expect(members.flatMap((member) => member.values())).toContain("0");
    });

    it("delivers uncommitted records again to the new owner of a partition", async () => {
      const topic = await newTopic(broker(), { partitions: 2 });
      const group = uniqueName("group");
      await store(broker(), topic, [...numbered(3, 0), ...numbered(3, 1)]);
      const first = await subscribe(broker(), { group, topics: [topic] });
      await first.until(() => first.records.length === 6);
      const second = await subscribe(broker(), { group, topics: [topic] });
      await second.until(() => second.records.length === 3);

      expect(second.values()).toEqual(["0", "1", "2"]);
      await Promise.all([first.close(), second.close()]);
    });

    it("delivers records once that are committed during a revocation", async () => {
      const topic = await newTopic(broker(), { partitions: 2 });
      const group = uniqueName("group");
      await store(broker(), topic, [...numbered(3, 0), ...numbered(3, 1)]);
      const first = await subscribe(broker(), {
        group,
        topics: [topic],
        beforeRevoked: ({ subscription, held }) =>
          subscription.commit(held.map((partition) => ({ ...partition, offset: 3n }))),
      });
      await first.until(() => first.records.length === 6);
      const second = await subscribe(broker(), { group, topics: [topic] });
      await untilShared([first, second], 2);
      await store(broker(), topic, [...numbered(1, 0, "new-"), ...numbered(1, 1, "new-")]);
      await Promise.all(
        [first, second].map((member) => member.until(() => member.values().includes("new-0"))),
      );

      expect(second.values()).toEqual(["new-0"]);
      expect(first.values()).toHaveLength(7);
      await Promise.all([first.close(), second.close()]);
    });

    it("rebalances while a member has paused all partitions", async () => {
      const topic = await newTopic(broker(), { partitions: 2 });
      const group = uniqueName("group");
      const first = await subscribe(broker(), { group, topics: [topic] });
      await first.until(() => first.held.length === 2);
      first.subscription.pause(first.held);
      const second = await subscribe(broker(), { group, topics: [topic] });
      await untilShared([first, second], 2);
      await first.close();
      await second.until(() => second.held.length === 2);
      await second.close();
    });

    it("refuses a commit for a partition that is assigned to another member", async () => {
      const topic = await newTopic(broker(), { partitions: 2 });
      const group = uniqueName("group");
      const first = await subscribe(broker(), { group, topics: [topic] });
      await first.until(() => first.held.length === 2);
      const second = await subscribe(broker(), { group, topics: [topic] });
      await untilShared([first, second], 2);

      const [moved] = partitionsOf(second.held);
      await expect(
        first.subscription.commit([{ topic, partition: moved ?? -1, offset: 0n }]),
      ).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
      await Promise.all([first.close(), second.close()]);
    });

    it("reads independently of other groups", async () => {
      const topic = await newTopic(broker());
      await store(broker(), topic, numbered(3));
      for (const group of [uniqueName("group"), uniqueName("group")]) {
        const member = await subscribe(broker(), { group, topics: [topic] });
        await member.until(() => member.records.length === 3);
        await member.subscription.commit([{ topic, partition: 0, offset: 3n }]);
        await member.close();

        expect(member.values()).toEqual(["0", "1", "2"]);
      }
    });
  });
};
