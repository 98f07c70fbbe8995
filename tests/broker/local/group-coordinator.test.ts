/** What the clock does to a group. The rest is in `conformance/membership.ts`. */
import { createGroupCoordinator } from "../../../src/broker/local/group-coordinator.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { createHand, type Hand } from "../conformance/membership.ts";

const SESSION = 10_000;
const REBALANCE = 60_000;

let saved: string[];
const clock = createFakeClock();

const rig = () => {
  saved = [];
  let ids = 0;
  const coordinator = createGroupCoordinator({
    store: {
      topics: () => new Map([["t", { name: "t", uuid: "t", partitions: 1, maxRecordBytes: 1 }]]),
      savePositions: (group, positions) => {
        saved.push(...positions.map(({ offset }) => `${group}@${offset}`));
        return Promise.resolve();
      },
    },
    clock,
    hasSubscriptions: (group) => group === "subscribed",
    newMemberId: () => `m${(ids += 1)}`,
  });
  const hand = (): Hand =>
    createHand(coordinator, "g", { sessionTimeout: SESSION, rebalanceTimeout: REBALANCE });
  return { coordinator, hand };
};

/** Lets the promises settle that need no clock. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("the coordinator of a local broker", () => {
  it("removes a member that sends no heartbeat for its session timeout", async () => {
    const { hand } = rig();
    const [silent, awake] = [hand(), hand()];
    await silent.join();
    await silent.sync();
    const joining = awake.join();
    await Promise.all([joining, silent.join()]);
    await Promise.all([silent.sync(), awake.sync()]);
    clock.advance(SESSION - 1);
    expect(await awake.heartbeat()).toBe("stable");
    clock.advance(1);
    expect(await awake.heartbeat()).toBe("rebalancing");
    expect(await silent.heartbeat()).toBe("ended");
    expect(await silent.commit("t", 1n)).toBe("refused");
    expect(await awake.join()).toMatchObject({ status: "joined", leader: true });
    expect(saved).toEqual([]);
  });

  it("keeps a member whose session a heartbeat or a commit renews", async () => {
    const { hand } = rig();
    const member = hand();
    await member.join();
    await member.sync();
    for (let round = 0; round < 3; round += 1) {
      clock.advance(SESSION - 1);
      expect(await member.heartbeat()).toBe("stable");
      clock.advance(SESSION - 1);
      expect(await member.commit("t", BigInt(round))).toBe("stored");
    }
    expect(saved).toEqual(["g@0", "g@1", "g@2"]);
  });

  it("removes a member that has not joined again at the end of the rebalance timeout", async () => {
    const { hand } = rig();
    const [stuck, next] = [hand(), hand()];
    await stuck.join();
    await stuck.sync();
    const joining = next.join();
    // Its heartbeats go on, and don't help.
    for (let past = 0; past < REBALANCE; past += SESSION / 2) {
      expect(await stuck.heartbeat()).toBe("rebalancing");
      clock.advance(SESSION / 2);
    }
    expect(await joining).toMatchObject({ status: "joined", leader: true });
    expect(await stuck.heartbeat()).toBe("ended");
    expect(await stuck.join()).toEqual({ status: "ended" });
  });

  it("keeps a member whose join waits longer than its session timeout", async () => {
    const { hand } = rig();
    const [slow, waiting] = [hand(), hand()];
    await slow.join();
    await slow.sync();
    const joining = waiting.join();
    clock.advance(SESSION - 1);
    await slow.heartbeat();
    clock.advance(SESSION - 1);
    await slow.heartbeat();
    await slow.join();
    expect(await joining).toMatchObject({ status: "joined", leader: false });
  });

  it("removes a member that does not ask for its assignment", async () => {
    const { hand } = rig();
    const [leader, absent] = [hand(), hand()];
    await leader.join();
    await leader.sync();
    const joining = absent.join();
    await Promise.all([joining, leader.join()]);
    await leader.sync();
    for (let past = 0; past < REBALANCE; past += SESSION / 2) {
      expect(await absent.heartbeat()).toBe("stable");
      await leader.heartbeat();
      clock.advance(SESSION / 2);
    }
    expect(await absent.heartbeat()).toBe("ended");
    expect(await leader.heartbeat()).toBe("rebalancing");
  });

  it("ends the waiting syncs when a rebalance begins before the leader has assigned", async () => {
    const { hand } = rig();
    const [leader, follower, third] = [hand(), hand(), hand()];
    await leader.join();
    await leader.sync();
    const second = follower.join();
    await Promise.all([second, leader.join()]);
    const following = follower.sync();
    const joining = third.join();
    expect(await following).toEqual({ status: "rebalancing" });
    await Promise.all([leader.join(), follower.join(), joining]);
    expect(new Set([leader, follower, third].map(({ member }) => member.generation)).size).toBe(1);
  });

  it("answers a repeated join with the generation that the member has missed", async () => {
    const { hand } = rig();
    const [leader, follower] = [hand(), hand()];
    await leader.join();
    await leader.sync();
    const second = follower.join();
    await Promise.all([second, leader.join()]);
    const { generation } = follower.member;
    expect(await follower.join()).toMatchObject({ generation, leader: false });
    await Promise.all([leader.sync(), follower.sync()]);
    expect(await follower.join()).toMatchObject({ generation, leader: false });
    expect(await leader.heartbeat()).toBe("stable");
    const again = leader.join();
    await settle();
    expect(await follower.heartbeat()).toBe("rebalancing");
    await Promise.all([again, follower.join()]);
    expect(follower.member.generation).toBe(generation + 1);
  });

  it("never uses a generation twice, also when a group was empty", async () => {
    const { hand } = rig();
    const first = hand();
    await first.join();
    await first.leave();
    const second = hand();
    await second.join();
    expect(second.member.generation).toBeGreaterThan(first.member.generation);
  });

  it("refuses a group whose members are subscriptions", async () => {
    const { coordinator } = rig();
    await expect(createHand(coordinator, "subscribed").join()).rejects.toMatchObject({
      code: "GROUP_REFUSED",
    });
  });

  it("fails waiting and later requests when it closes", async () => {
    const { coordinator, hand } = rig();
    const [first, second] = [hand(), hand()];
    await first.join();
    await first.sync();
    const joining = second.join();
    await settle();
    coordinator.close();
    await expect(joining).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
    await expect(first.heartbeat()).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
    await expect(second.join()).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
  });
});
