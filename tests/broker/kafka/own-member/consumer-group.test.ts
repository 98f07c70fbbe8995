import type { AssignmentHandlers } from "../../../../src/broker/kafka/own-member/assignment.ts";
import { createConsumerGroup } from "../../../../src/broker/kafka/own-member/consumer-group.ts";
import type {
  ConsumerGroupRequests,
  ConsumerHeartbeat,
  HeartbeatAnswer,
} from "../../../../src/broker/kafka/own-member/consumer-group-requests.ts";
import type { CommitAnswer } from "../../../../src/broker/groups.ts";
import { GatewayError } from "../../../../src/errors.ts";
import { createChanges } from "../../../support/changes.ts";

const TOPIC = "orders";
const ID = "id-of-orders";
const INTERVAL = 10;

const member = (epoch: number, partitions: readonly number[]): HeartbeatAnswer => ({
  status: "member",
  epoch,
  interval: INTERVAL,
  assignment: partitions.length === 0 ? [] : [{ topicId: ID, partitions }],
});

const numbersOf = (partitions: readonly { readonly partition: number }[]): readonly number[] =>
  partitions.map(({ partition }) => partition);

const position = (partition: number) => ({ topic: TOPIC, partition, offset: 1n });

type Answer = () => HeartbeatAnswer | Promise<HeartbeatAnswer>;

/** A member, with the test as the group. `answer` decides the answers of heartbeats from now on. */
const open = () => {
  const heartbeats: ConsumerHeartbeat[] = [];
  const log: string[] = [];
  const left: string[] = [];
  const commits: number[] = [];
  const errors: GatewayError[] = [];
  const endings: (() => void)[] = [];
  const group = {
    answer: ((): HeartbeatAnswer => member(1, [])) as Answer,
    commit: (): CommitAnswer => "stored",
  };
  const { changed, until } = createChanges();
  const note = (call: string): void => {
    log.push(call);
    changed();
  };
  const requests: ConsumerGroupRequests = {
    heartbeat: async (request) => {
      heartbeats.push(request);
      changed();
      return group.answer();
    },
    commit: ({ generation }) => {
      commits.push(generation);
      return Promise.resolve(group.commit());
    },
    leave: (_, memberId) => {
      left.push(memberId);
      return Promise.resolve();
    },
    areSupported: () => Promise.resolve(true),
    close: () => Promise.resolve(),
  };
  const handlers: AssignmentHandlers = {
    onJoined: () => {
      note("joined");
    },
    onBegin: (partitions) => {
      note(`begin ${numbersOf(partitions).join()}`);
    },
    onEnd: (partitions) => {
      note(`end ${numbersOf(partitions).join()}`);
      return new Promise((resolve) => endings.push(resolve));
    },
    onError: (error) => {
      errors.push(error);
      changed();
    },
    onUnknownTopic: () => {
      note("unknown topic");
    },
  };
  const assignment = createConsumerGroup(
    { requests, requestTimeout: 1000 },
    { group: "connect-crm", topics: [TOPIC], ids: new Map([[TOPIC, ID]]) },
    handlers,
  );
  /** Resolves when the group gets a heartbeat with these partitions and this epoch. */
  const untilHeld = (epoch: number, partitions: readonly number[]): Promise<void> => {
    const from = heartbeats.length;
    return until(() =>
      heartbeats
        .slice(from)
        .some(
          ({ epoch: sent, held }) =>
            sent === epoch && held.flatMap((one) => one.partitions).join() === partitions.join(),
        ),
    );
  };
  assignment.start();
  return { assignment, group, heartbeats, log, left, commits, errors, endings, until, untilHeld };
};

type Opened = ReturnType<typeof open>;

const openWith = async (partitions: readonly number[]): Promise<Opened> => {
  const opened = open();
  opened.group.answer = () => member(1, partitions);
  await opened.untilHeld(1, partitions);
  return opened;
};

describe("a member of a KIP-848 group", () => {
  let opened: Opened | undefined;
  afterEach(async () => {
    await opened?.assignment.leave();
    opened = undefined;
  });

  it("joins with epoch 0, and names its subscription and its partitions in every heartbeat", async () => {
    opened = await openWith([0, 1]);
    const { heartbeats, log } = opened;

    expect(heartbeats[0]).toMatchObject({ epoch: 0, topics: [TOPIC], held: [] });
    expect(heartbeats.at(-1)).toMatchObject({
      ...{ epoch: 1, topics: [TOPIC], memberId: heartbeats[0]?.memberId },
      held: [{ topicId: ID, partitions: [0, 1] }],
    });
    expect(log).toEqual(["joined", "begin 0,1"]);
  });

  it("acknowledges a revocation only when the partition has ended, and touches no other partition", async () => {
    opened = await openWith([0, 1, 2]);
    const { group, log, endings, untilHeld, heartbeats } = opened;
    group.answer = () => member(1, [0, 1]);
    await untilHeld(1, [0, 1, 2]);
    await untilHeld(1, [0, 1, 2]);
    const before = heartbeats.length;

    expect(log).toEqual(["joined", "begin 0,1,2", "end 2"]);

    endings[0]?.();
    await untilHeld(1, [0, 1]);

    expect(heartbeats.length).toBeGreaterThan(before);
    expect(log).toEqual(["joined", "begin 0,1,2", "end 2"]);
  });

  it("begins added partitions while others are still ending", async () => {
    opened = await openWith([0, 1]);
    const { group, log, untilHeld } = opened;
    group.answer = () => member(2, [0, 5]);
    await untilHeld(2, [0, 1, 5]);

    expect(log).toEqual(["joined", "begin 0,1", "end 1", "begin 5"]);
  });

  it("gives all partitions up and joins again with its id when the group has removed it", async () => {
    opened = await openWith([0, 1]);
    const { group, log, endings, heartbeats, untilHeld, until } = opened;
    group.answer = () => ({ status: "lost" });
    await until(() => log.includes("end 0,1"));
    group.answer = () => member(7, [1]);
    const beats = heartbeats.length;
    endings[0]?.();
    await untilHeld(7, [1]);

    expect(heartbeats[beats]).toMatchObject({ epoch: 0, held: [], memberId: heartbeats[0]?.memberId });
    expect(log.slice(2)).toEqual(["end 0,1", "joined", "begin 1"]);
  });

  it("keeps its partitions while the coordinator does not answer, and counts the silence", async () => {
    opened = await openWith([0]);
    const { assignment, group, log, errors, until, untilHeld } = opened;

    expect(assignment.silence).toBeLessThan(Infinity);

    group.answer = () => Promise.reject(new GatewayError("BROKER_UNAVAILABLE"));
    // The second fault follows the first one after a second.
    await until(() => errors.length === 2);

    expect(assignment.silence).toBeGreaterThan(1);

    group.answer = () => member(1, [0]);
    await untilHeld(1, [0]);

    expect(log).toEqual(["joined", "begin 0"]);
  });

  it("repeats a commit with the epoch that the next answer names", async () => {
    opened = await openWith([0]);
    const { assignment, group, commits } = opened;
    group.commit = () => (commits.at(-1) === 2 ? "stored" : "rebalancing");
    group.answer = () => member(2, [0]);
    await assignment.commit([position(0)]);

    expect(commits[0]).toBe(1);
    expect(commits.at(-1)).toBe(2);
  });

  it("rejects a commit that the group refuses", async () => {
    opened = await openWith([0]);
    opened.group.commit = () => "refused";

    await expect(opened.assignment.commit([position(0)])).rejects.toMatchObject({
      code: "BROKER_UNAVAILABLE",
    });
    expect(opened.commits).toEqual([1]);
  });

  it("asks for the topics if the group assigns one that it does not know", async () => {
    opened = await openWith([0]);
    const { group, log, until } = opened;
    group.answer = () => ({
      ...{ status: "member", epoch: 1, interval: INTERVAL },
      assignment: [
        { topicId: ID, partitions: [0] },
        { topicId: "another", partitions: [0] },
      ],
    });
    await until(() => log.includes("unknown topic"));

    expect(log.slice(0, 3)).toEqual(["joined", "begin 0", "unknown topic"]);
  });

  it("leaves the group once, and sends no heartbeat after it", async () => {
    const { assignment, heartbeats, left } = await openWith([0]);
    await assignment.leave();
    const sent = heartbeats.length;
    await new Promise((resolve) => setTimeout(resolve, 3 * INTERVAL));

    expect(left).toEqual([heartbeats[0]?.memberId]);
    expect(heartbeats).toHaveLength(sent);
  });
});
