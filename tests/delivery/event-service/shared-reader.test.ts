import type { Broker, ConsumedRecord, Subscription, TopicPartition } from "../../../src/broker/broker.ts";
import { createMemoryBroker } from "../../../src/broker/memory/memory-broker.ts";
import { createSharedReader, type SharedReader } from "../../../src/delivery/event-service/shared-reader.ts";
import { GatewayError } from "../../../src/errors.ts";
import { createFakeClock, type FakeClock } from "../../support/fake-clock.ts";

const TOPIC = "t";
const LEADER = "leader";

let broker: Broker;
let clock: FakeClock;
let faults: GatewayError[];
let readers: SharedReader[];
/** The groups of all subscriptions, in order. undefined: without a group. */
let subscribed: (string | undefined)[];

beforeEach(async () => {
  broker = createMemoryBroker({ partitions: 1 });
  await broker.open();
  await broker.ensureTopic({ name: TOPIC });
  clock = createFakeClock();
  faults = [];
  readers = [];
  subscribed = [];
});

afterEach(async () => {
  await Promise.all(readers.map((reader) => reader.close()));
  await broker.close();
});

const createReader = (over: Partial<Broker> = {}): SharedReader => {
  const reader = createSharedReader({
    broker: {
      ...broker,
      subscribe: (options, handlers) => {
        subscribed.push(options.group);
        return broker.subscribe(options, handlers);
      },
      ...over,
    },
    clock,
    leader: LEADER,
    topics: [TOPIC],
    onError: (error) => faults.push(error),
  });
  readers.push(reader);
  return reader;
};

interface Follower {
  readonly subscription: Subscription;
  readonly offsets: readonly number[];
  readonly revoked: readonly TopicPartition[];
  /** Resolves when `count` records have been received. */
  received(count: number): Promise<void>;
}

interface FollowOptions {
  /** Called for each record, inside `onRecords`. */
  readonly onRecord?: (record: ConsumedRecord, subscription: Subscription | undefined) => void;
  readonly onRevoked?: (subscription: Subscription | undefined) => Promise<void>;
}

const follow = async (
  reader: SharedReader,
  group: string,
  options: FollowOptions = {},
): Promise<Follower> => {
  const offsets: number[] = [];
  const revoked: TopicPartition[] = [];
  const waiters = new Set<() => void>();
  let subscription: Subscription | undefined = undefined;
  subscription = await reader.broker.subscribe(
    { group, topics: [TOPIC], from: "earliest" },
    {
      onRevoked: async (partitions) => {
        revoked.push(...partitions);
        await options.onRevoked?.(subscription);
      },
      onRecords: (records) => {
        for (const record of records) {
          offsets.push(Number(record.offset));
          options.onRecord?.(record, subscription);
        }
        for (const waiter of waiters) waiter();
      },
    },
  );
  return {
    subscription,
    offsets,
    revoked,
    received: (count) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (offsets.length >= count) resolve();
        };
        waiters.add(check);
        check();
      }),
  };
};

const write = async (count: number): Promise<void> => {
  const record = { key: null, value: Buffer.from("v"), headers: [], timestamp: 1 };
  await broker.append(
    TOPIC,
    Array.from({ length: count }, () => record),
  );
};

const commit = (group: string, offset: bigint): Promise<void> =>
  broker.setCommitted(group, [{ topic: TOPIC, partition: 0, offset }]);

const committed = async (group: string): Promise<bigint | undefined> =>
  (await broker.committed(group, TOPIC))[0]?.offset;

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

describe("followers of a shared reader", () => {
  it("each read from their own group's position on, in order", async () => {
    await write(6);
    await commit("b", 4n);
    await commit("c", 6n);
    const reader = createReader();
    const [a, b, c] = await Promise.all(["a", "b", "c"].map((group) => follow(reader, group)));
    await write(3);
    await Promise.all([a?.received(9), b?.received(5), c?.received(3)]);

    expect([a?.offsets, b?.offsets, c?.offsets]).toStrictEqual([range(0, 9), range(4, 9), range(6, 9)]);
    expect(subscribed.filter((group) => group === LEADER)).toHaveLength(1);
  });

  it("that are far behind catch up through a second reader, without delaying the others", async () => {
    await write(30_000);
    await commit("quick", 30_000n);
    const reader = createReader();
    const [quick, slow] = await Promise.all(["quick", "slow"].map((group) => follow(reader, group)));
    await write(1);
    await quick?.received(1);
    await slow?.received(30_001);

    expect(quick?.offsets).toStrictEqual([30_000]);
    expect(slow?.offsets).toStrictEqual(range(0, 30_001));
    expect(subscribed).toStrictEqual([LEADER, undefined]);
  }, 20_000);

  it("that pause don't delay others, and miss and repeat no record", async () => {
    const reader = createReader();
    const partition = { topic: TOPIC, partition: 0 };
    const quick = await follow(reader, "quick");
    const slow = await follow(reader, "slow", {
      onRecord: ({ offset }, subscription) => {
        if (offset === 0n) subscription?.pause([partition]);
      },
    });
    await write(1);
    await slow.received(1);
    await write(50);
    await quick.received(51);

    expect(slow.offsets).toStrictEqual([0]);

    slow.subscription.resume([partition]);
    await slow.received(51);
    await write(5);
    await Promise.all([quick.received(56), slow.received(56)]);

    expect([quick.offsets, slow.offsets]).toStrictEqual([range(0, 56), range(0, 56)]);
  });

  it("can seek backward and forward", async () => {
    const reader = createReader();
    const follower = await follow(reader, "a");
    await write(3);
    await follower.received(3);
    follower.subscription.seek({ topic: TOPIC, partition: 0, offset: 1n });
    await follower.received(5);
    follower.subscription.seek({ topic: TOPIC, partition: 0, offset: 5n });
    await write(3);
    await follower.received(6);

    expect(follower.offsets).toStrictEqual([0, 1, 2, 1, 2, 5]);
  });

  it("can join and leave at any time", async () => {
    const reader = createReader();
    const first = await follow(reader, "first");
    await write(2);
    await first.received(2);
    const second = await follow(reader, "second");
    await second.received(2);
    await first.subscription.close();
    await write(1);
    await second.received(3);

    expect(first.offsets).toStrictEqual([0, 1]);
    expect(first.revoked).toMatchObject([{ topic: TOPIC, partition: 0 }]);
    expect(second.offsets).toStrictEqual([0, 1, 2]);
  });

  it("start at the earliest record if their position is out of range", async () => {
    await write(2);
    await commit("a", 2n);
    const reader = createReader({
      committed: () => Promise.resolve([{ topic: TOPIC, partition: 0, offset: 99n }]),
    });
    const follower = await follow(reader, "a");
    await follower.received(2);

    expect(follower.offsets).toStrictEqual([0, 1]);
  });
});

describe("positions of followers", () => {
  it("are committed to their own groups, without membership", async () => {
    const reader = createReader();
    const [a] = await Promise.all([follow(reader, "a"), follow(reader, "b")]);
    await write(3);
    await a.received(3);
    await a.subscription.commit([{ topic: TOPIC, partition: 0, offset: 2n }]);

    expect([await committed("a"), await committed("b"), await committed(LEADER)]).toStrictEqual([
      2n,
      0n,
      undefined,
    ]);
  });

  it("are read once the group has no members; until then no record is delivered", async () => {
    await write(3);
    await commit("a", 1n);
    const original = await broker.subscribe(
      { group: "a", topics: [TOPIC], from: "earliest" },
      { onRecords: () => undefined },
    );
    const reader = createReader();
    const [a, b] = await Promise.all([follow(reader, "a"), follow(reader, "b")]);
    await b.received(3);
    await clock.pending(1000);
    clock.advance(1000);
    await clock.pending(1000);

    expect(a.offsets).toStrictEqual([]);
    expect(faults).toHaveLength(2);
    expect(faults[0]?.message).toContain("The group a still has members");

    await original.close();
    clock.advance(1000);
    await a.received(2);
    await a.subscription.commit([{ topic: TOPIC, partition: 0, offset: 3n }]);

    expect(a.offsets).toStrictEqual([1, 2]);
    expect(await committed("a")).toBe(3n);
  });

  it("can't be committed for partitions that are assigned to another process", async () => {
    const own = await follow(createReader(), "a", {
      onRevoked: (subscription) =>
        subscription?.commit([{ topic: TOPIC, partition: 0, offset: 1n }]) ?? Promise.resolve(),
    });
    await write(2);
    await own.received(2);
    const other = await follow(createReader(), "a");
    await readers[0]?.close();
    await other.received(1);

    expect(own.revoked).toMatchObject([{ topic: TOPIC, partition: 0 }]);
    expect(other.offsets).toStrictEqual([1]);
    await expect(own.subscription.commit([{ topic: TOPIC, partition: 0, offset: 2n }])).rejects.toMatchObject(
      {
        code: "BROKER_UNAVAILABLE",
      },
    );
  });

  it("are requested until the broker answers, and the outage is reported once for all followers", async () => {
    await write(1);
    let calls = 0;
    const reader = createReader({
      committed: (group, topic) => {
        calls += 1;
        return calls <= 2
          ? Promise.reject(new GatewayError("BROKER_UNAVAILABLE"))
          : broker.committed(group, topic);
      },
    });
    const [a, b] = await Promise.all([follow(reader, "a"), follow(reader, "b")]);
    await clock.pending(1000);
    clock.advance(1000);
    await Promise.all([a.received(1), b.received(1)]);

    expect(faults).toHaveLength(1);
  });

  it("are stored again every 12 hours, so that the broker doesn't delete them", async () => {
    const stored: bigint[] = [];
    const reader = createReader({
      setCommitted: (group, positions, isWanted) => {
        const wanted = positions.filter((position) => isWanted?.(position, 1n));
        stored.push(...wanted.map(({ offset }) => offset));
        return Promise.resolve();
      },
    });
    await write(1);
    await commit("a", 1n);
    await follow(reader, "a");
    const b = await follow(reader, "b");
    await b.received(1);
    stored.length = 0;
    clock.advance(12 * 60 * 60 * 1000);
    await new Promise(setImmediate);

    expect(stored).toStrictEqual([1n]);
  });

  it("are stored again by the owner of the partition if a lower position is stored", async () => {
    const reader = createReader();
    await write(4);
    const a = await follow(reader, "a");
    await a.received(4);
    await a.subscription.commit([{ topic: TOPIC, partition: 0, offset: 4n, metadata: "m" }]);
    await commit("a", 1n);
    clock.advance(60_000);
    await new Promise(setImmediate);

    expect(await broker.committed("a", TOPIC)).toEqual([
      { topic: TOPIC, partition: 0, offset: 4n, metadata: "m" },
    ]);
  });

  it("never decrease, also if a frozen process commits an old one", async () => {
    const reader = createReader();
    await write(4);
    const a = await follow(reader, "a");
    await a.received(4);
    await commit("a", 3n);
    await a.subscription.commit([{ topic: TOPIC, partition: 0, offset: 2n }]);

    expect(await committed("a")).toBe(3n);
  });

  it("can decrease if the stored one is out of range because the topic was created again", async () => {
    const reader = createReader();
    await write(2);
    await commit("a", 9n);
    const a = await follow(reader, "a");
    await a.received(2);
    await a.subscription.commit([{ topic: TOPIC, partition: 0, offset: 1n }]);

    expect(await committed("a")).toBe(1n);
  });

  it("are not stored after half a session without an answer of the group", async () => {
    let silence = 0;
    const reader = createReader({
      subscribe: async (options, handlers) => {
        const live = await broker.subscribe(options, handlers);
        return Object.defineProperty({ ...live }, "silence", { get: () => silence });
      },
    });
    await write(2);
    const a = await follow(reader, "a");
    await a.received(2);
    silence = 0.5;

    await expect(a.subscription.commit([{ topic: TOPIC, partition: 0, offset: 2n }])).rejects.toMatchObject({
      code: "BROKER_UNAVAILABLE",
    });
    expect(await committed("a")).toBe(0n);

    silence = 0.49;
    await a.subscription.commit([{ topic: TOPIC, partition: 0, offset: 2n }]);

    expect(await committed("a")).toBe(2n);
  });
});
