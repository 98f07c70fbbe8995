import type { Groups } from "../../src/broker/groups.ts";
import { createMemoryBroker } from "../../src/broker/memory/memory-broker.ts";
import { GatewayError } from "../../src/errors.ts";
import {
  type Assigned,
  createMembership,
  type Membership,
  type MembershipHandlers,
} from "../../src/broker/membership.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";

const SESSION = 10_000;
const REBALANCE = 60_000;

/** Waits for what follows from answers inside the process. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
};

interface Member {
  readonly membership: Membership;
  readonly log: string[];
  readonly assigned: Assigned[];
  metadata: string;
}

describe("a member of a group", () => {
  let clock: FakeClock;
  let broker: ReturnType<typeof createMemoryBroker>;
  let members: Member[];

  const add = (
    name: string,
    groups: Groups = broker.groups,
    changes: Partial<MembershipHandlers> = {},
  ): Member => {
    const log: string[] = [];
    const assigned: Assigned[] = [];
    const membership = createMembership({
      groups,
      group: "group",
      clock,
      monotonic: () => clock.now(),
      sessionTimeout: SESSION,
      rebalanceTimeout: REBALANCE,
      handlers: {
        protocols: () => [{ name: "by-test", metadata: Buffer.from(member.metadata) }],
        assign: ({ members: all }) => {
          const names = all.map(({ metadata }) => String(metadata)).sort();
          return Promise.resolve(
            all.map(({ memberId }) => ({ memberId, assignment: Buffer.from(names.join(",")) })),
          );
        },
        onRevoked: () => {
          log.push("revoked");
          return Promise.resolve();
        },
        onAssigned: (given) => {
          assigned.push(given);
          log.push(`assigned ${String(given.assignment)}`);
        },
        onEnded: () => {
          log.push("ended");
        },
        onError: ({ code }) => {
          log.push(code);
        },
        ...changes,
      },
    });
    const member: Member = { membership, log, assigned, metadata: name };
    members.push(member);
    membership.start();
    return member;
  };

  /** Lets seconds pass, with the answers to each second's heartbeats. */
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second += 1) {
      clock.advance(1000);
      await settle();
    }
  };

  /** The group's coordinator, whose answers can be held back. */
  const withFaults = (faults: Partial<Groups>): Groups => ({ ...broker.groups, ...faults });

  const never = (): Promise<never> => new Promise(() => undefined);

  beforeEach(() => {
    clock = createFakeClock();
    broker = createMemoryBroker({ clock });
    members = [];
  });

  afterEach(async () => {
    await Promise.all(members.map(({ membership }) => membership.leave()));
    await broker.close();
  });

  it("is the leader of a group of its own", async () => {
    const a = add("a");
    await settle();
    expect(a.log).toEqual(["assigned a"]);
    expect(a.assigned[0]).toMatchObject({ isLeader: true, member: { group: "group" } });
  });

  it("has no session before the first assignment", () => {
    expect(add("a").membership.silence()).toBe(Infinity);
  });

  it("joins again when another member joins, after its work is given up", async () => {
    const a = add("a");
    await settle();
    add("b");
    await pass(2);
    expect(a.log).toEqual(["assigned a", "revoked", "assigned a,b"]);
  });

  it("joins again when another member leaves", async () => {
    const a = add("a");
    const b = add("b");
    await pass(3);
    await b.membership.leave();
    await pass(2);
    expect(a.log.at(-1)).toBe("assigned a");
  });

  it("tells the group what has changed", async () => {
    const a = add("a");
    await settle();
    a.metadata = "a2";
    a.membership.rejoin();
    await settle();
    expect(a.log).toEqual(["assigned a", "revoked", "assigned a2"]);
  });

  it("tells the group what has changed while it joined", async () => {
    const a = add("a", broker.groups, {
      assign: ({ members: [one] }) => {
        if (a.metadata === "a") {
          a.metadata = "a2";
          a.membership.rejoin();
        }
        return Promise.resolve([
          { memberId: one?.memberId ?? "", assignment: one?.metadata ?? Buffer.alloc(0) },
        ]);
      },
    });
    await settle();
    expect(a.log).toEqual(["assigned a", "revoked", "assigned a2"]);
  });

  it("counts the silence from when an answered heartbeat was sent", async () => {
    const a = add("a");
    await settle();
    expect(a.membership.silence()).toBe(0);
    clock.advance(999);
    expect(a.membership.silence()).toBe(999);
    await pass(1);
    expect(a.membership.silence()).toBe(999);
  });

  it("sends a heartbeat after the call of `heartbeat`", async () => {
    const answers: (() => void)[] = [];
    const a = add(
      "a",
      withFaults({
        heartbeat: () =>
          new Promise((resolve) => {
            answers.push(() => {
              resolve("stable");
            });
          }),
      }),
    );
    await settle();
    clock.advance(1000);
    const asked = a.membership.heartbeat();
    await settle();
    expect(answers).toHaveLength(1);
    answers[0]?.();
    await settle();
    expect(answers).toHaveLength(2);
    answers[1]?.();
    await expect(asked).resolves.toBe(true);
  });

  describe("ends its session and joins as a new member", () => {
    it("when the group is silent for the session timeout", async () => {
      let isSilent = false;
      const a = add(
        "a",
        withFaults({ heartbeat: (of) => (isSilent ? never() : broker.groups.heartbeat(of)) }),
      );
      await pass(2);
      isSilent = true;
      await pass(9);
      expect(a.log).toEqual(["assigned a"]);
      await pass(2);
      expect(a.log).toEqual(["assigned a", "ended", "assigned a"]);
      expect(a.assigned[1]?.member.memberId).not.toBe(a.assigned[0]?.member.memberId);
    });

    it("after it was frozen", async () => {
      const a = add("a");
      await settle();
      clock.advance(2 * SESSION);
      await settle();
      expect(a.log).toContain("ended");
      await pass(1);
      expect(a.log.at(-1)).toBe("assigned a");
    });

    it("when the group doesn't know it", async () => {
      const a = add("a");
      await settle();
      await broker.groups.leave("group", a.assigned[0]?.member.memberId ?? "");
      await pass(1);
      expect(a.log).toEqual(["assigned a", "ended", "assigned a"]);
    });

    it("when a rebalance takes half of the rebalance timeout", async () => {
      const a = add("a");
      await settle();
      let goOn = (): void => undefined;
      const isGivingUp = new Promise<void>((resolve) => (goOn = resolve));
      add("slow", broker.groups, { onRevoked: () => isGivingUp });
      await pass(3);
      a.metadata = "a2";
      a.membership.rejoin();
      await pass(REBALANCE / 1000 / 2);
      expect(a.log).toEqual(["assigned a", "revoked", "assigned a,slow", "revoked"]);
      await pass(2);
      goOn();
      expect(a.log[4]).toBe("ended");
    });
  });

  it("joins again after a fault, and reports it", async () => {
    let faults = 2;
    const a = add(
      "a",
      withFaults({
        join: (request, signal) =>
          faults-- > 0
            ? Promise.reject(new GatewayError("BROKER_UNAVAILABLE"))
            : broker.groups.join(request, signal),
      }),
    );
    await settle();
    clock.advance(500);
    await settle();
    clock.advance(500);
    await settle();
    expect(a.log).toEqual(["BROKER_UNAVAILABLE", "BROKER_UNAVAILABLE", "assigned a"]);
  });

  it("leaves while a join waits", async () => {
    const a = add("a", withFaults({ join: (_, signal) => aborted(signal) }));
    await settle();
    await expect(a.membership.leave()).resolves.toBeUndefined();
    expect(a.log).toEqual([]);
  });

  const aborted = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        reject(new GatewayError("BROKER_UNAVAILABLE"));
      });
    });
});
