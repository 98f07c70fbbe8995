import type { SubscriptionHandlers } from "../../src/broker/broker.ts";
import type { Groups } from "../../src/broker/groups.ts";
import { createMemoryBroker } from "../../src/broker/memory/memory-broker.ts";
import type { TopicPartition, TopicPartitionOffset } from "../../src/broker/positions.ts";
import {
  createGroupReader,
  type GroupReader,
  type ReaderSubscription,
} from "../../src/consume/group-reader.ts";
import { rangesOf } from "../../src/consume/range-assignor.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";

const GROUP = "billing";
const TOPIC = "orders";

/** Waits for what follows from answers inside the process. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 30; turn += 1) await new Promise(setImmediate);
};

const idOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

describe("the member of a reader's group", () => {
  let clock: FakeClock;
  let broker: ReturnType<typeof createMemoryBroker>;
  let readers: GroupReader[];
  let kept: TopicPartitionOffset[];
  let keepStarts: (starts: readonly TopicPartitionOffset[]) => Promise<void>;
  /** Partitions of which a position was committed. */
  let passed: string[];
  let groups: Groups;
  let mayJoin: boolean;

  const reader = (): GroupReader => {
    const created = createGroupReader({
      broker: { ...broker, groups },
      mayJoin: () => mayJoin,
      clock,
      group: GROUP,
      sessionTimeout: 10_000,
      starts: {
        kept: (of) => kept.find((one) => idOf(one) === idOf(of))?.offset,
        keep: (starts) => keepStarts(starts),
        committed: (positions) => {
          passed.push(...positions.map(idOf));
        },
      },
      onError: () => undefined,
    });
    readers.push(created);
    void created.join();
    return created;
  };

  interface Reading {
    readonly subscription: ReaderSubscription;
    /** What the handlers were told, in order. */
    readonly events: string[];
  }

  const read = (
    from: GroupReader,
    { topic = TOPIC, start = "earliest" }: { topic?: string; start?: "earliest" | "latest" } = {},
    handlers: Partial<SubscriptionHandlers> = {},
  ): Reading => {
    const events: string[] = [];
    const subscription = from.subscribe(
      topic,
      { from: start, maxReadBytes: 10_000 },
      {
        onAssigned: (partitions) => events.push(`assigned ${partitions.map(idOf).join(" ")}`),
        onRevoked: (partitions) => {
          events.push(`revoked ${partitions.map(idOf).join(" ")}`);
          return Promise.resolve();
        },
        onRecords: (records) => {
          for (const { value } of records) events.push(String(value));
        },
        ...handlers,
      },
    );
    return { subscription, events };
  };

  const append = async (partition: number, ...values: string[]): Promise<void> => {
    await broker.append(
      TOPIC,
      values.map((value) => ({ key: null, value: Buffer.from(value), headers: [], timestamp: 0, partition })),
    );
    await settle();
  };

  /** Lets seconds pass, with the answers to each second's heartbeats. */
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second += 1) {
      clock.advance(1000);
      await settle();
    }
  };

  const committed = async (): Promise<readonly string[]> =>
    (await broker.committed(GROUP, TOPIC)).map((position) => `${idOf(position)}@${position.offset}`);

  beforeEach(async () => {
    clock = createFakeClock();
    broker = createMemoryBroker({ clock });
    await broker.ensureTopic({ name: TOPIC, partitions: 2 });
    readers = [];
    kept = [];
    passed = [];
    groups = broker.groups;
    mayJoin = true;
    keepStarts = (starts) => {
      kept.push(...starts);
      return Promise.resolve();
    };
  });

  afterEach(async () => {
    await Promise.all(readers.map((created) => created.leave()));
    await broker.close();
  });

  it("reads the topic from its first record on", async () => {
    await append(0, "a");
    const { events } = read(reader());
    await settle();
    await append(1, "b");
    expect(events).toEqual(["assigned orders/0 orders/1", "a", "b"]);
  });

  it("continues at the committed offsets", async () => {
    await append(0, "a", "b");
    const first = reader();
    const { subscription } = read(first);
    await settle();
    await subscription.commit([{ topic: TOPIC, partition: 0, offset: 1n }]);
    await first.leave();
    const { events } = read(reader());
    await settle();
    expect(events.slice(1)).toEqual(["b"]);
  });

  it("keeps the start offset of a group without a committed one before it hands out a record", async () => {
    await append(0, "a");
    let release = (): void => undefined;
    const isKept = new Promise<void>((resolve) => (release = resolve));
    keepStarts = (starts) => {
      kept.push(...starts);
      return isKept;
    };
    const { events } = read(reader(), { start: "latest" });
    await settle();
    await append(0, "b");
    expect(kept.map(({ partition, offset }) => `${partition}@${offset}`)).toEqual(["0@1", "1@0"]);
    expect(events).toEqual(["assigned orders/0 orders/1"]);
    release();
    await settle();
    expect(events.slice(1)).toEqual(["b"]);
  });

  it("uses a kept start offset before it asks for the end of the log, and lets it go with a commit", async () => {
    await append(0, "a", "b", "c");
    kept = [{ topic: TOPIC, partition: 0, offset: 1n }];
    const { subscription, events } = read(reader(), { start: "latest" });
    await settle();
    expect(events.slice(1)).toEqual(["b", "c"]);
    await subscription.commit([{ topic: TOPIC, partition: 0, offset: 3n }]);
    expect(passed).toEqual(["orders/0"]);
  });

  it("reads several topics with one member", async () => {
    await broker.ensureTopic({ name: "payments", partitions: 1 });
    const one = reader();
    const orders = read(one);
    await settle();
    const payments = read(one, { topic: "payments" });
    await settle();
    expect(payments.events).toEqual(["assigned payments/0"]);
    expect(orders.events).toEqual([
      "assigned orders/0 orders/1",
      "revoked orders/0 orders/1",
      "assigned orders/0 orders/1",
    ]);
  });

  it("shares the partitions with another member, and commits before the group assigns them anew", async () => {
    await append(1, "a");
    const first = read(
      reader(),
      {},
      { onRevoked: () => first.subscription.commit([{ topic: TOPIC, partition: 1, offset: 1n }]) },
    );
    await settle();
    const second = read(reader());
    await pass(2);
    const held = [first, second].map(({ subscription }) => subscription.assignment.map(idOf));
    expect(held.toSorted()).toEqual([["orders/0"], ["orders/1"]]);
    expect(await committed()).toEqual(["orders/1@1"]);
    // The record was committed, so no member gets it again.
    expect([...first.events, ...second.events].filter((event) => event === "a")).toEqual(["a"]);
  });

  it("joins again only after the answers to its commits", async () => {
    const order: string[] = [];
    let answer = (): void => undefined;
    const isAnswered = new Promise<void>((resolve) => (answer = resolve));
    groups = {
      ...broker.groups,
      join: (...args) => {
        order.push("joins");
        return broker.groups.join(...args);
      },
      commit: async (...args) => {
        await isAnswered;
        order.push("commits");
        return broker.groups.commit(...args);
      },
    };
    const one = reader();
    const follower = one.follow({
      onAssigned: () => undefined,
      onRevoked: () => undefined,
      onEnded: () => undefined,
    });
    follower.take(new Set([TOPIC]));
    await settle();
    const committing = follower.commit([{ topic: TOPIC, partition: 0, offset: 1n }]);
    order.length = 0;
    follower.take(new Set());
    await settle();
    answer();
    await committing;
    await settle();
    expect(order).toEqual(["commits", "joins"]);
    expect(await committed()).toEqual(["orders/0@1"]);
  });

  it("does not join again while it leaves", async () => {
    let joins = 0;
    let isKnown = true;
    groups = {
      ...broker.groups,
      join: (...args) => {
        joins += 1;
        return broker.groups.join(...args);
      },
      heartbeat: (member) => (isKnown ? broker.groups.heartbeat(member) : Promise.resolve("ended")),
    };
    const one = reader();
    let giveUp = (): void => undefined;
    read(one, {}, { onRevoked: () => new Promise((resolve) => (giveUp = resolve)) });
    await settle();
    joins = 0;
    // It waits for the ends of answers, and its session ends meanwhile.
    const left = one.leave();
    isKnown = false;
    await pass(3);
    giveUp();
    await left;
    expect(joins).toBe(0);
  });

  it("does not join while it must not", async () => {
    const one = reader();
    const { events } = read(one);
    await settle();
    mayJoin = false;
    // As a process that was frozen.
    clock.advance(20_000);
    await pass(3);
    expect(events).toEqual(["assigned orders/0 orders/1", "revoked orders/0 orders/1"]);
    mayJoin = true;
    await pass(1);
    expect(events.at(-1)).toBe("assigned orders/0 orders/1");
  });

  it("refuses commits without a session", async () => {
    const { subscription, events } = read(reader());
    await settle();
    clock.advance(60_000);
    await expect(subscription.commit([{ topic: TOPIC, partition: 0, offset: 1n }])).rejects.toMatchObject({
      code: "GROUP_REFUSED",
    });
    expect(events.at(-1)).toBe("revoked orders/0 orders/1");
    expect(await committed()).toEqual([]);
  });

  it("tells whether each leader has answered within the last second", async () => {
    const { subscription } = read(reader());
    await settle();
    expect(subscription.isCurrent).toBe(true);
    subscription.pause(subscription.assignment);
    clock.advance(500);
    await settle();
    expect(subscription.isCurrent).toBe(true);
    clock.advance(1001);
    expect(subscription.isCurrent).toBe(false);
  });

  it("goes to the first existing record if those before it are deleted, and starts anew beyond the end", async () => {
    await broker.setCommitted(GROUP, [{ topic: TOPIC, partition: 0, offset: 7n }]);
    await append(0, "a");
    const { events } = read(reader());
    await settle();
    expect(events).toEqual(["assigned orders/0 orders/1", "assigned orders/0", "a"]);
  });

  it("leaves the partitions of a closed subscription to nobody", async () => {
    const one = reader();
    const { subscription, events } = read(one);
    await settle();
    await subscription.close();
    await settle();
    await append(0, "a");
    expect(events).toEqual(["assigned orders/0 orders/1", "revoked orders/0 orders/1"]);
  });
});

describe("the assignor range", () => {
  const ranges = (topicsOf: Record<string, string[]>, counts: Record<string, number>): unknown =>
    Object.fromEntries(
      [...rangesOf(new Map(Object.entries(topicsOf)), new Map(Object.entries(counts)))].map(([id, held]) => [
        id,
        held.map(idOf),
      ]),
    );

  it("gives ranges in the order of the member ids, the first ones one more", () => {
    expect(ranges({ b: ["t"], a: ["t"] }, { t: 3 })).toEqual({ a: ["t/0", "t/1"], b: ["t/2"] });
  });

  it("gives a topic to its subscribers only", () => {
    expect(ranges({ a: ["t"], b: ["u"], c: [] }, { t: 1, u: 1 })).toEqual({ a: ["t/0"], b: ["u/0"], c: [] });
  });
});
