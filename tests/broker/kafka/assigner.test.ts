/** The assignment that the leader of a group makes, also if a broker gives no answer at first. */
import { AssignerProtocol, type Cluster, type GroupMember } from "kafkajs";
import { bySubscription, type CountPartitions } from "../../../src/broker/kafka/assigner.ts";
import { GatewayError } from "../../../src/errors.ts";

const { MemberAssignment, MemberMetadata } = AssignerProtocol;

const member = (memberId: string, ...topics: string[]): GroupMember => ({
  memberId,
  memberMetadata: MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }),
});

/** Topics and partitions of each member. */
const assigned = async (count: CountPartitions, members: GroupMember[]): Promise<object> => {
  const assigner = bySubscription(
    count,
    () => undefined,
  )({
    cluster: {} as Cluster,
    groupId: "group",
    logger: null as never,
  });
  const all = await assigner.assign({ members, topics: [] });
  return Object.fromEntries(
    all.map(({ memberId, memberAssignment }) => [
      memberId,
      MemberAssignment.decode(memberAssignment)?.assignment,
    ]),
  );
};

const unavailable = (): Promise<never> => Promise.reject(new GatewayError("BROKER_UNAVAILABLE"));

describe("the assigner of a group", () => {
  it("assigns each topic to the members that subscribed to it", async () => {
    const count: CountPartitions = (topic) => Promise.resolve(topic === "a" ? 2 : 1);

    expect(await assigned(count, [member("m1", "a"), member("m2", "a", "b")])).toStrictEqual({
      m1: { a: [0] },
      m2: { a: [1], b: [0] },
    });
  });

  it("retries a failed count of partitions, because the group waits a session for a leader that fails", async () => {
    let asked = 0;
    const count: CountPartitions = () => (++asked < 3 ? unavailable() : Promise.resolve(1));

    expect(await assigned(count, [member("m1", "a")])).toStrictEqual({ m1: { a: [0] } });
    expect(asked).toBe(3);
  });

  it("rejects when no count succeeds, in less than half of a session", async () => {
    const began = Date.now();

    await expect(assigned(unavailable, [member("m1", "a")])).rejects.toMatchObject({
      code: "BROKER_UNAVAILABLE",
    });
    expect(Date.now() - began).toBeLessThan(5000);
  });
});
