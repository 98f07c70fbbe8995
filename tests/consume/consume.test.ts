import type { Broker, SubscriptionHandlers } from "../../src/broker/broker.ts";
import { createMemoryBroker } from "../../src/broker/memory/memory-broker.ts";
import type { PullConsumers, PullConsumersOptions } from "../../src/consume/consume.ts";
import type { Pull } from "../../src/consume/waiting-pull.ts";
import { createMemoryBudget } from "../../src/lib/memory-budget.ts";
import { GatewayError } from "../../src/errors.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { IDLE, JOIN, pullConsumersOn, requestOf, WAIT, type Wish } from "./pulls.ts";

let broker: Broker;
let clock: FakeClock;
let consumers: PullConsumers;

const consumersOn = (
  on: Pick<Broker, "subscribe">,
  more: Partial<PullConsumersOptions> = {},
): PullConsumers => pullConsumersOn(on, clock, more);

beforeEach(async () => {
  broker = createMemoryBroker();
  clock = createFakeClock();
  consumers = consumersOn(broker);
  await broker.ensureTopic({ name: "orders", partitions: 1 });
});

const store = async (...values: string[]): Promise<void> => {
  const records = values.map((value) => ({
    key: null,
    value: Buffer.from(value),
    headers: [],
    timestamp: 1,
  }));
  await broker.append("orders", records);
};

const pull = (wish: Wish = {}): Promise<Pull> => consumers.pull(requestOf(wish));

const texts = ({ texts: all }: Pull): string[] => all.map(String);
const position = async (group = "g"): Promise<bigint | undefined> =>
  (await broker.committed(group, "orders"))[0]?.offset;
/** The result of a pull after its wait has passed. */
const afterWait = async (pulling: Promise<Pull>): Promise<Pull> => {
  await clock.pending(WAIT);
  await new Promise(setImmediate);
  clock.advance(WAIT);
  return pulling;
};

it("ends a pull once it has the requested number of records", async () => {
  await store("a", "b", "c");
  expect(texts(await pull({ max: 2 }))).toEqual(["a", "b"]);
});

it("returns fewer records or none when the wait is over", async () => {
  await store("a");
  expect(texts(await afterWait(pull()))).toEqual(["a"]);
  expect(texts(await afterWait(pull()))).toEqual([]);
});

it("starts a new group at the end with from: latest", async () => {
  await store("old");
  expect(texts(await afterWait(pull({ from: "latest" })))).toEqual([]);
  await store("new");
  expect(texts(await pull({ from: "latest", max: 1 }))).toEqual(["new"]);
});

it("returns a record that is stored during the wait", async () => {
  const pulling = pull({ max: 1 });
  await clock.pending(WAIT);
  await store("late");
  expect(texts(await pulling)).toEqual(["late"]);
});

it("commits the position once the answer is consumed, and continues there", async () => {
  await store("a", "b", "c");
  const first = await pull({ max: 2 });
  expect(await position()).toBeUndefined();
  await first.consume();
  expect(await position()).toBe(2n);
  expect(texts(await pull({ max: 1 }))).toEqual(["c"]);
});

it("returns records again if their answer was released", async () => {
  await store("a", "b", "c");
  const lost = await pull({ max: 2 });
  const next = await pull({ max: 1 });
  lost.release();
  expect(texts(next)).toEqual(["c"]);
  expect(texts(await pull({ max: 2 }))).toEqual(["a", "b"]);
});

it("commits no position beyond a record whose answer is open", async () => {
  await store("a", "b", "c");
  const first = await pull({ max: 1 });
  const second = await pull({ max: 1 });
  await second.consume();
  expect(await position()).toBeUndefined();
  await first.consume();
  expect(await position()).toBe(2n);
});

it("gives pulls of one consumer disjoint records, in the order of the pulls", async () => {
  const one = pull({ max: 2 });
  const two = pull({ max: 2 });
  await clock.pending(WAIT);
  await store("a", "b", "c", "d");
  expect([texts(await one), texts(await two)]).toEqual([
    ["a", "b"],
    ["c", "d"],
  ]);
});

it("gives all records to each group", async () => {
  await store("a");
  expect(texts(await pull({ group: "g1", max: 1 }))).toEqual(["a"]);
  expect(texts(await pull({ group: "g2", max: 1 }))).toEqual(["a"]);
});

it("takes no records for an aborted pull", async () => {
  const client = new AbortController();
  const pulling = pull({ signal: client.signal });
  await clock.pending(WAIT);
  client.abort();
  (await pulling).release();
  const late = await pull({ signal: client.signal });
  late.release();
  await store("a");
  expect(texts(await pull({ max: 1 }))).toEqual(["a"]);
});

it("returns more records than it buffers, in order", async () => {
  const values = Array.from({ length: 4500 }, (_, n) => String(n));
  await store(...values);
  expect(texts(await pull({ max: 4500 }))).toEqual(values);
});

it("leaves the group after the idle time, and continues at its position later", async () => {
  const subscriptions: string[] = [];
  consumers = consumersOn({
    subscribe: async (options, handlers) => {
      subscriptions.push("joined");
      const subscription = await broker.subscribe(options, handlers);
      const close = async (): Promise<void> => {
        await subscription.close();
        subscriptions.push("left");
      };
      return { ...subscription, assignment: subscription.assignment, close };
    },
  });
  await store("a", "b");
  await (await pull({ max: 1 })).consume();
  clock.advance(IDLE);
  await new Promise(setImmediate);
  expect(subscriptions).toEqual(["joined", "left"]);
  expect(texts(await pull({ max: 1 }))).toEqual(["b"]);
});

it("stays in the group while an answer is being written", async () => {
  await store("a");
  const slow = await pull({ max: 1 });
  clock.advance(IDLE * 2);
  await slow.consume();
  expect(await position()).toBe(1n);
});

it("ends the longest idle member of the owner with the most members above maxMembers", async () => {
  const left: string[] = [];
  const watched: Pick<Broker, "subscribe"> = {
    subscribe: async (options, handlers) => {
      const subscription = await broker.subscribe(options, handlers);
      const close = async (): Promise<void> => {
        left.push(options.group ?? "");
        await subscription.close();
      };
      return { ...subscription, assignment: subscription.assignment, close };
    },
  };
  consumers = consumersOn(watched, { maxMembers: 4 });
  await store("a", "b");
  const once = async (owner: string, group: string): Promise<void> => {
    await (await pull({ owner, group, max: 1 })).consume();
    clock.advance(10);
  };
  await once("account bob", "b1");
  for (const group of ["a1", "a2", "a3"]) await once("account ann", group);
  await once("account ann", "a1");
  await once("account bob", "b2");
  await new Promise(setImmediate);
  expect(left).toEqual(["a2"]);
  await once("account ann", "a4");
  await new Promise(setImmediate);
  // Now both owners have the same number of members.
  expect(left).toEqual(["a2", "b1"]);
});

it("limits the waiting pulls of an owner", async () => {
  consumers = consumersOn(broker, { maxPullsPerOwner: 1 });
  const waiting = pull();
  await expect(pull()).rejects.toMatchObject({ code: "OVERLOADED" });
  const other = pull({ owner: "account bob", group: "other" });
  await Promise.all([afterWait(waiting), other]);
  await store("a");
  expect(texts(await pull({ max: 1 }))).toEqual(["a"]);
});

it("limits the number of members", async () => {
  consumers = consumersOn(broker, { maxMembers: 1 });
  await store("a");
  await pull({ max: 1 });
  await expect(pull({ consumer: "other" })).rejects.toMatchObject({ code: "OVERLOADED" });
});

it("shares the partitions among the consumers of a group, so that each record is returned once", async () => {
  await broker.ensureTopic({ name: "wide", partitions: 4 });
  const wide = (consumer: string, max: number): Promise<Pull> =>
    consumers.pull({
      owner: "account ann",
      group: "g",
      consumer,
      topic: "wide",
      from: "earliest",
      maxRecords: max,
      waitMs: WAIT,
      signal: new AbortController().signal,
    });
  const both = [wide("one", 100), wide("two", 100)];
  await clock.pending(WAIT);
  await new Promise(setImmediate);
  for (let partition = 0; partition < 4; partition++) {
    const value = Buffer.from(String(partition));
    await broker.append("wide", [{ key: null, value, headers: [], timestamp: 1, partition }]);
  }
  await new Promise(setImmediate);
  clock.advance(WAIT);
  const pulls = await Promise.all(both);
  const all = pulls.flatMap(texts);
  expect(all.toSorted()).toEqual(["0", "1", "2", "3"]);
  await Promise.all(pulls.map((one) => one.consume()));
});

describe("memory", () => {
  const SIZE = 10_000;
  const numbered = (n: number): string => String(n).padEnd(SIZE, ".");
  const numbers = (pulled: Pull): number[] => texts(pulled).map((text) => Number.parseInt(text, 10));
  const all = Array.from({ length: 300 }, (_, n) => n);

  it("stays within its limit while 20 groups get each event once", async () => {
    const memory = createMemoryBudget(1 << 20);
    consumers = consumersOn(broker, { memory, maxMembers: 30, maxPullsPerOwner: 30 });
    await store(...all.map(numbered));
    const isShort = (error: unknown): undefined => {
      if (!(error instanceof GatewayError) || error.code !== "OVERLOADED") throw error;
    };
    const readAll = async (group: string): Promise<number[]> => {
      const read: number[] = [];
      while (read.length < all.length) {
        const pulled = await pull({ group, owner: `account ${group.slice(0, 2)}`, max: 5000 }).catch(isShort);
        expect(memory.usedBytes).toBeLessThanOrEqual(memory.maxBytes);
        if (pulled === undefined) continue;
        read.push(...numbers(pulled));
        await pulled.consume();
      }
      return read;
    };
    // A call without memory gets OVERLOADED when its wait is over, and is repeated.
    const groups = Array.from({ length: 20 }, (_, n) => `g${n}`);
    const ticking = setInterval(() => {
      clock.advance(100);
    }, 1);
    const reads = await Promise.all(groups.map((group) => readAll(group).catch((error: unknown) => error)));
    clearInterval(ticking);
    for (const read of reads) expect(read).toEqual(all);
    await consumers.close();
    expect(memory.usedBytes).toBe(0);
  });

  it("is taken from idle groups first, which read their dropped records again", async () => {
    const memory = createMemoryBudget(1 << 20);
    consumers = consumersOn(broker, { memory });
    await store(...all.map(numbered));
    const first = await pull({ group: "idle", max: 2 });
    await first.consume();
    await new Promise(setImmediate);
    expect(memory.usedBytes).toBeGreaterThan(0);
    const other = await pull({ group: "busy", max: 40 });
    expect(numbers(other)).toEqual(all.slice(0, 40));
    await other.consume();
    const next = await pull({ group: "idle", max: 30 });
    expect([...numbers(first), ...numbers(next)]).toEqual(all.slice(0, 32));
    next.release();
    await consumers.close();
    expect(memory.usedBytes).toBe(0);
  });

  it("that is used up gives OVERLOADED, and events are returned once there is memory", async () => {
    const memory = createMemoryBudget(1 << 20);
    consumers = consumersOn(broker, { memory });
    await store("a");
    memory.tryTake(memory.maxBytes);
    const pulling = pull({ max: 1 });
    await clock.pending(WAIT);
    for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
    clock.advance(WAIT);
    await expect(pulling).rejects.toMatchObject({
      code: "OVERLOADED",
      retryAfter: 1,
      message: expect.stringContaining("limits.memory") as string,
    });
    memory.give(memory.maxBytes);
    const next = pull({ max: 1 });
    clock.advance(100);
    expect(texts(await next)).toEqual(["a"]);
  });

  it("admits an event that is larger than the limit", async () => {
    consumers = consumersOn(broker, { memory: createMemoryBudget(10_000) });
    await store("x".repeat(20_000), "y");
    const large = await pull({ max: 2 });
    expect(large.texts.map(({ length }) => length)).toEqual([20_000]);
    const next = pull({ max: 1 });
    await large.consume();
    expect(texts(await next)).toEqual(["y"]);
  });
});

describe("close", () => {
  it("ends waiting pulls and refuses new ones", async () => {
    await store("a");
    const pulling = pull();
    await clock.pending(WAIT);
    await new Promise(setImmediate);
    const closed = consumers.close();
    const ended = await pulling;
    expect(texts(ended)).toEqual(["a"]);
    await expect(pull()).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
    await ended.consume();
    await closed;
    expect(await position()).toBe(1n);
  });
});

describe("a fault", () => {
  it("of subscribe is the pull's error instead of an empty answer", async () => {
    const away = new GatewayError("BROKER_UNAVAILABLE");
    consumers = consumersOn({ subscribe: () => Promise.reject(away) });
    await expect(pull()).rejects.toBe(away);
  });

  it("is BROKER_UNAVAILABLE if joining takes too long", async () => {
    consumers = consumersOn({ subscribe: () => new Promise(() => undefined) });
    const pulling = pull();
    await clock.pending(JOIN);
    clock.advance(JOIN);
    await expect(pulling).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
  });

  it("during the wait is the error of a pull without records", async () => {
    let handlers: SubscriptionHandlers | undefined;
    consumers = consumersOn({
      subscribe: (options, given) => {
        handlers = given;
        return broker.subscribe(options, given);
      },
    });
    const pulling = pull();
    await clock.pending(WAIT);
    handlers?.onError?.(new GatewayError("BROKER_UNAVAILABLE"));
    clock.advance(WAIT);
    await expect(pulling).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
  });
});
