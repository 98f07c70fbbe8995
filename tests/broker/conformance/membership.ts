/** Membership by hand: `Broker.groups`. Times are long, so that a loaded machine ends no session. */
import { randomUUID } from "node:crypto";
import type { Broker } from "../../../src/broker/broker.ts";
import { decodeSubscription, encodeSubscription } from "../../../src/broker/consumer-protocol.ts";
import type {
  CommitAnswer,
  Groups,
  HeartbeatAnswer,
  Joined,
  JoinAnswer,
  JoinRequest,
  MemberOfGeneration,
  SyncAnswer,
} from "../../../src/broker/groups.ts";
import { newTopic, subscribe, uniqueName } from "./tools.ts";

/** Kafka decodes the metadata, and answers no join whose metadata it can't decode. */
const metadataOf = (data: string): Buffer => encodeSubscription({ topics: [], userData: Buffer.from(data) });

const forever = (): AbortSignal => new AbortController().signal;

/** A member that is driven step by step. */
export interface Hand {
  readonly group: string;
  /** The newest answer to a join. */
  readonly joined: Joined | undefined;
  /** Throws before the first join. */
  readonly member: MemberOfGeneration;
  join(signal?: AbortSignal): Promise<JoinAnswer>;
  /** The leader assigns to each member its own id. */
  sync(): Promise<SyncAnswer>;
  heartbeat(): Promise<HeartbeatAnswer>;
  /** Commits one position of partition 0. */
  commit(topic: string, offset: bigint): Promise<CommitAnswer>;
  leave(): Promise<void>;
}

export const createHand = (groups: Groups, group: string, request: Partial<JoinRequest> = {}): Hand => {
  let joined: Joined | undefined;
  const member = (): MemberOfGeneration => {
    if (joined === undefined) throw new Error("the member has not joined");
    return { group, memberId: joined.memberId, generation: joined.generation };
  };

  return {
    group,
    get joined() {
      return joined;
    },
    get member() {
      return member();
    },
    join: async (signal = forever()) => {
      const answer = await groups.join(
        {
          group,
          memberId: joined?.memberId ?? "",
          protocols: [{ name: "by-hand", metadata: metadataOf("data") }],
          sessionTimeout: 30_000,
          rebalanceTimeout: 30_000,
          ...request,
        },
        signal,
      );
      if (answer.status === "joined") joined = answer;
      return answer;
    },
    sync: () => {
      const { members = [], protocol = "" } = joined ?? {};
      const assignments = members.map(({ memberId }) => ({ memberId, assignment: Buffer.from(memberId) }));
      return groups.sync({ ...member(), protocol }, assignments, forever());
    },
    heartbeat: () => groups.heartbeat(member()),
    commit: (topic, offset) => groups.commit(member(), [{ topic, partition: 0, offset }]),
    leave: () => groups.leave(group, member().memberId),
  };
};

/** Resolves when the answer to a heartbeat of the member says that a rebalance has begun. */
export const untilRebalancing = async (member: Hand): Promise<void> => {
  while ((await member.heartbeat()) !== "rebalancing")
    await new Promise((resolve) => setTimeout(resolve, 20));
};

/** Forms a generation of these members; the first of them has joined before, or the group is empty. */
export const formed = async (...members: readonly Hand[]): Promise<void> => {
  const [first, ...others] = members;
  if (first === undefined) return;
  if (first.joined === undefined) await first.join();
  // Kafka begins no rebalance before the leader has assigned the generation that it leads.
  await first.sync();
  for (const other of others) {
    const joining = other.join();
    await untilRebalancing(first);
    await Promise.all([
      joining,
      ...members.filter((one) => one.joined !== undefined && one !== other).map((one) => one.join()),
    ]);
    await Promise.all(members.filter((one) => one.joined !== undefined).map((one) => one.sync()));
  }
};

const offsetOf = async (broker: Broker, group: string, topic: string): Promise<bigint | undefined> =>
  (await broker.committed(group, topic))[0]?.offset;

export const describeMembership = (broker: () => Broker): void => {
  describe("a member by hand", () => {
    const hand = (group = uniqueName("group"), request: Partial<JoinRequest> = {}): Hand =>
      createHand(broker().groups, group, request);

    it("is the leader of a generation that it forms alone, and gets what it assigns", async () => {
      const member = hand();
      const joined = await member.join();
      expect(joined).toMatchObject({ status: "joined", leader: true, protocol: "by-hand" });
      expect(member.joined?.members).toEqual([
        { memberId: member.member.memberId, metadata: metadataOf("data") },
      ]);
      expect(await member.sync()).toEqual({
        status: "assigned",
        assignment: Buffer.from(member.member.memberId),
      });
      expect(await member.heartbeat()).toBe("stable");
      await member.leave();
      expect(await member.heartbeat()).toBe("ended");
    });

    it("learns of a second member, and shares the next generation with it", async () => {
      const first = hand();
      const second = hand(first.group);
      await formed(first);
      const { generation } = first.member;
      const joining = second.join();
      await untilRebalancing(first);
      // Heartbeats are answered while the second member's join waits.
      expect(await first.heartbeat()).toBe("rebalancing");
      await Promise.all([joining, first.join()]);
      expect(first.member.generation).toBeGreaterThan(generation);
      expect(second.member.generation).toBe(first.member.generation);
      const [leader, follower] = first.joined?.leader === true ? [first, second] : [second, first];
      expect(leader.joined?.members.map(({ memberId }) => memberId).sort()).toEqual(
        [first.member.memberId, second.member.memberId].sort(),
      );
      expect(follower.joined).toMatchObject({ leader: false, members: [] });

      // The follower's sync waits for the leader's.
      const following = follower.sync();
      await expect(leader.sync()).resolves.toMatchObject({ assignment: Buffer.from(leader.member.memberId) });
      await expect(following).resolves.toEqual({
        status: "assigned",
        assignment: Buffer.from(follower.member.memberId),
      });
      await Promise.all([first.leave(), second.leave()]);
    });

    it("commits under its generation, also while the next one is being formed", async () => {
      const topic = await newTopic(broker());
      const first = hand();
      const second = hand(first.group);
      await formed(first);
      expect(await first.commit(topic, 3n)).toBe("stored");
      const joining = second.join();
      await untilRebalancing(first);
      expect(await first.commit(topic, 5n)).toBe("stored");
      await Promise.all([joining, first.join()]);
      expect(await first.commit(topic, 7n)).toBe("rebalancing");
      expect(await offsetOf(broker(), first.group, topic)).toBe(5n);
      await Promise.all([first.leave(), second.leave()]);
    });

    it("has its commit refused under an old generation or id, and the stored offset stays", async () => {
      const topic = await newTopic(broker());
      const first = hand();
      const second = hand(first.group);
      await formed(first);
      const old = first.member;
      await formed(first, second);
      expect(await second.commit(topic, 9n)).toBe("stored");
      for (const member of [old, { ...old, memberId: `stranger-${randomUUID()}` }])
        expect(await broker().groups.commit(member, [{ topic, partition: 0, offset: 4n }])).toBe("refused");
      expect(await broker().groups.heartbeat(old)).toBe("outdated");
      expect(await broker().groups.sync({ ...old, protocol: "by-hand" }, [], forever())).toEqual({
        status: "rebalancing",
      });
      expect(await offsetOf(broker(), first.group, topic)).toBe(9n);
      await Promise.all([first.leave(), second.leave()]);
    });

    it("stores the positions of the partitions that exist", async () => {
      const topic = await newTopic(broker());
      const member = hand();
      await formed(member);
      const positions = [
        { topic, partition: 0, offset: 2n },
        { topic, partition: 99, offset: 1n },
        { topic: uniqueName("missing"), partition: 0, offset: 1n },
      ];
      await expect(broker().groups.commit(member.member, positions)).rejects.toMatchObject({
        code: "PARTITION_UNKNOWN",
      });
      expect(await offsetOf(broker(), member.group, topic)).toBe(2n);
      await member.leave();
    });

    it("is unknown to a group that has not seen it", async () => {
      const member = hand(undefined, { memberId: `stranger-${randomUUID()}` });
      expect(await member.join()).toEqual({ status: "ended" });
      const unknown = { group: member.group, memberId: "nobody", generation: 1 };
      expect(await broker().groups.heartbeat(unknown)).toBe("ended");
      expect(await broker().groups.sync({ ...unknown, protocol: "by-hand" }, [], forever())).toEqual({
        status: "ended",
      });
      await expect(broker().groups.leave(member.group, "nobody")).resolves.toBeUndefined();
    });

    it("keeps a group from other members that have no assignor in common with it", async () => {
      const member = hand();
      await formed(member);
      await expect(
        hand(member.group, { protocols: [{ name: "another", metadata: metadataOf("") }] }).join(),
      ).rejects.toMatchObject({ code: "GROUP_REFUSED", cause: "INCONSISTENT_GROUP_PROTOCOL" });
      await member.leave();
    });

    it("chooses the assignor that all members have", async () => {
      const named = (...names: readonly string[]): Partial<JoinRequest> => ({
        protocols: names.map((name) => ({ name, metadata: metadataOf(name) })),
      });
      const first = hand(undefined, named("mine", "range"));
      const second = hand(first.group, named("range"));
      await formed(first);
      expect(first.joined?.protocol).toBe("mine");
      await formed(first, second);
      expect([first, second].map(({ joined }) => joined?.protocol)).toEqual(["range", "range"]);
      expect(
        [first, second]
          .flatMap(({ joined }) => joined?.members ?? [])
          .map(({ metadata }) => decodeSubscription(metadata)?.userData.toString()),
      ).toEqual(["range", "range"]);
      await Promise.all([first.leave(), second.leave()]);
    });

    it("protects its group from commits without membership and from deletion", async () => {
      const topic = await newTopic(broker());
      const member = hand();
      await formed(member);
      await expect(
        broker().setCommitted(member.group, [{ topic, partition: 0, offset: 1n }]),
      ).rejects.toMatchObject({ code: "REQUEST_INVALID" });
      await expect(broker().deleteGroup(member.group)).rejects.toMatchObject({ code: "REQUEST_INVALID" });
      await member.leave();
    });

    it("leaves its positions to a subscription of the same group", async () => {
      const topic = await newTopic(broker());
      await broker().append(
        topic,
        Array.from({ length: 3 }, () => ({
          key: null,
          value: Buffer.from("value"),
          headers: [],
          timestamp: Date.now(),
        })),
      );
      const member = hand();
      await formed(member);
      await member.commit(topic, 2n);
      await member.leave();
      const next = await subscribe(broker(), { group: member.group, topics: [topic] });
      await next.until(() => next.records.length > 0);
      expect(next.records.map(({ offset }) => offset)).toEqual([2n]);
      await next.close();
    });

    it("gives up its first join when it is aborted, and the group does not wait for it", async () => {
      const first = hand();
      await formed(first);
      const abort = new AbortController();
      const second = hand(first.group);
      const joining = second.join(abort.signal);
      await untilRebalancing(first);
      abort.abort();
      await expect(joining).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
      expect(await first.heartbeat()).toBe("rebalancing");
      await first.join();
      expect(first.joined?.members.map(({ memberId }) => memberId)).toEqual([first.member.memberId]);
      await first.leave();
    });
  });
};
