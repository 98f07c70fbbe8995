import type { Broker } from "../../src/broker/broker.ts";
import { createMemoryBroker } from "../../src/broker/memory/memory-broker.ts";
import type { Pull } from "../../src/consume/waiting-pull.ts";
import { createMemoryBudget } from "../../src/lib/memory-budget.ts";
import { GatewayError } from "../../src/errors.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { IDLE, type Pulls, pullsOn, type PullsOptions, WAIT, type Wish } from "./pulls.ts";

let broker: Broker;
let clock: FakeClock;
let pulls: Pulls;

const start = async (options: PullsOptions = {}, on: Broker = broker): Promise<void> => {
  pulls = await pullsOn(on, clock, options);
};

beforeEach(async () => {
  clock = createFakeClock();
  broker = createMemoryBroker({ clock });
  await broker.ensureTopic({ name: "orders", partitions: 1 });
  await start();
});

/** Waits for what follows from answers inside the process. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 40; turn += 1) await new Promise(setImmediate);
};

const store = async (...values: string[]): Promise<void> => {
  const records = values.map((value) => ({
    key: null,
    value: Buffer.from(value),
    headers: [],
    timestamp: 1,
  }));
  await broker.append("orders", records);
};

const pull = (wish: Wish = {}): Promise<Pull> => pulls.pull(wish);

const texts = ({ events }: Pull): string[] => events.map(String);
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

it("gives the next pull the records that a pull does not keep", async () => {
  await store("a", "b", "c");
  const first = await pull({ max: 3 });
  first.keep(1);
  const second = await pull({ max: 1 });
  expect(texts(second)).toEqual(["b"]);
  await Promise.all([first.consume(), second.consume()]);
  expect(await position()).toBe(2n);
  expect(texts(await pull({ max: 1 }))).toEqual(["c"]);
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
  await store("a", "b");
  await (await pull({ max: 1 })).consume();
  expect(pulls.members()).toEqual(["g"]);
  clock.advance(IDLE);
  await settle();
  expect(pulls.members()).toEqual([]);
  expect(texts(await pull({ max: 1 }))).toEqual(["b"]);
});

it("stays in the group while an answer is being written", async () => {
  await store("a");
  const slow = await pull({ max: 1 });
  for (let passed = 0; passed < IDLE * 2; passed += 1000) {
    clock.advance(1000);
    await settle();
  }
  await slow.consume();
  expect(await position()).toBe(1n);
});

it("ends the longest idle group of the owner with the most groups above maxGroups", async () => {
  await start({ readers: { maxGroups: 4 } });
  await store("a", "b");
  const once = async (owner: string, group: string): Promise<void> => {
    await (await pull({ owner, group, max: 1 })).consume();
    clock.advance(10);
    await settle();
  };
  await once("account bob", "b1");
  for (const group of ["a1", "a2", "a3"]) await once("account ann", group);
  await once("account ann", "a1");
  await once("account bob", "b2");
  expect(pulls.members().toSorted()).toEqual(["a1", "a3", "b1", "b2"]);
  await once("account ann", "a4");
  expect(pulls.members().toSorted()).toEqual(["a1", "a3", "a4", "b2"]);
});

it("limits the waiting pulls of an owner", async () => {
  await start({ maxPullsPerOwner: 1 });
  const waiting = pull();
  await expect(pull()).rejects.toMatchObject({ code: "OVERLOADED" });
  const other = pull({ owner: "account bob", group: "other" });
  await Promise.all([afterWait(waiting), other]);
  await store("a");
  expect(texts(await pull({ max: 1 }))).toEqual(["a"]);
});

it("limits the number of groups", async () => {
  await start({ readers: { maxGroups: 1 } });
  await store("a");
  await pull({ max: 1 });
  await expect(pull({ group: "other" })).rejects.toMatchObject({ code: "OVERLOADED" });
});

it("gives both of two waiting pulls events of one append", async () => {
  const both = [pull({ max: 100 }), pull({ max: 100 })];
  await clock.pending(WAIT);
  await store(...Array.from({ length: 40 }, (_, n) => String(n)));
  await settle();
  clock.advance(WAIT);
  expect((await Promise.all(both)).map((one) => one.events.length)).toEqual([20, 20]);
});

it("reads two topics of a group with one member", async () => {
  await broker.ensureTopic({ name: "payments", partitions: 1 });
  await store("a", "b");
  await broker.append("payments", [{ key: null, value: Buffer.from("p"), headers: [], timestamp: 1 }]);
  await (await pull({ max: 1 })).consume();
  expect(texts(await pull({ topic: "payments", max: 1 }))).toEqual(["p"]);
  expect(texts(await pull({ max: 1 }))).toEqual(["b"]);
});

describe("memory", () => {
  const SIZE = 10_000;
  const numbered = (n: number): string => String(n).padEnd(SIZE, ".");
  const numbers = (pulled: Pull): number[] => texts(pulled).map((text) => Number.parseInt(text, 10));
  const all = Array.from({ length: 300 }, (_, n) => n);

  it("stays within its limit while 20 groups get each event once", async () => {
    const memory = createMemoryBudget(1 << 20);
    await start({ memory, maxPullsPerOwner: 30, readers: { maxGroups: 30 } });
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
    await pulls.close();
    expect(memory.usedBytes).toBe(0);
  });

  it("is taken from idle groups first, which read their dropped records again", async () => {
    const memory = createMemoryBudget(1 << 20);
    await start({ memory });
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
    await pulls.close();
    expect(memory.usedBytes).toBe(0);
  });

  it("that is used up gives OVERLOADED, and events are returned once there is memory", async () => {
    const memory = createMemoryBudget(1 << 20);
    await start({ memory });
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
    await start({ memory: createMemoryBudget(10_000) });
    await store("x".repeat(20_000), "y");
    const large = await pull({ max: 2 });
    expect(texts(large).map(({ length }) => length)).toEqual([20_000]);
    const next = pull({ max: 1 });
    await large.consume();
    expect(texts(await next)).toEqual(["y"]);
  });
});

describe("close", () => {
  it("fails waiting pulls, and commits what is consumed meanwhile", async () => {
    await store("a", "b");
    const open = await pull({ max: 1 });
    const pulling = pull();
    await clock.pending(WAIT);
    await settle();
    const closed = pulls.close();
    await expect(pulling).rejects.toMatchObject({ code: "SLOT_MOVED" });
    await expect(pull()).rejects.toMatchObject({ code: "SLOT_MOVED" });
    await open.consume();
    await closed;
    expect(await position()).toBe(1n);
  });
});

describe("without answers of the leaders", () => {
  const away = (): Promise<never> => Promise.reject(new GatewayError("BROKER_UNAVAILABLE"));

  const without = async (...methods: readonly ("read" | "committed" | "watermarks")[]): Promise<void> => {
    const on = { ...broker };
    for (const method of methods) on[method] = away;
    await start({}, on);
  };

  const failsWithin = async (pulling: Promise<Pull>, seconds: number): Promise<void> => {
    let error: unknown;
    void pulling.catch((fault: unknown) => (error = fault));
    for (let second = 0; second < seconds && error === undefined; second += 1) {
      await settle();
      clock.advance(1000);
    }
    await settle();
    expect(error).toMatchObject({ code: "BROKER_UNAVAILABLE" });
  };

  it.each([1, 5000, 300_000])(
    "a pull that waits for %i ms gets BROKER_UNAVAILABLE within ten seconds",
    async (waitMs) => {
      await without("read");
      await failsWithin(pull({ waitMs }), 10);
    },
  );

  it("a pull fails within ten seconds if the start can't be found", async () => {
    await without("committed");
    await failsWithin(pull({ waitMs: 300_000 }), 10);
  });

  it("a pull fails that began with answers", async () => {
    let isAway = false;
    await start({}, { ...broker, read: (...args) => (isAway ? away() : broker.read(...args)) });
    const pulling = pull({ waitMs: 300_000 });
    await clock.pending(300_000);
    await settle();
    isAway = true;
    await failsWithin(pulling, 10);
  });

  it("an empty answer waits for the first answer of the leader", async () => {
    let answer = (): void => undefined;
    const isAnswered = new Promise<void>((resolve) => (answer = resolve));
    await start({}, { ...broker, read: (...args) => isAnswered.then(() => broker.read(...args)) });
    const pulling = pull({ waitMs: 1 });
    await clock.pending(1);
    clock.advance(1000);
    answer();
    expect(texts(await pulling)).toEqual([]);
  });
});
