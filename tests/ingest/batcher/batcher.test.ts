import { jest } from "@jest/globals";
import fc from "fast-check";
import type { AppendOutcome, BrokerRecord } from "../../../src/broker/broker.ts";
import { GatewayError } from "../../../src/errors.ts";
import { type Batcher, type BatcherOptions, createBatcher } from "../../../src/ingest/batcher/batcher.ts";
import { IN_FLIGHT } from "../../../src/ingest/batcher/pending.ts";

/** A record with its number as the value. The fake broker stores it at this offset. */
const record = (n: number, bytes = 10): BrokerRecord => ({
  key: null,
  value: Buffer.alloc(bytes),
  headers: [],
  timestamp: n,
});
const records = (from: number, count: number): BrokerRecord[] =>
  Array.from({ length: count }, (_, i) => record(from + i));
const stored = ({ timestamp }: BrokerRecord): AppendOutcome => ({
  status: "stored",
  partition: 0,
  offset: BigInt(timestamp),
  timestamp,
});
const said = (outcome: AppendOutcome): string =>
  outcome.status === "stored" ? String(outcome.offset) : outcome.error.code;

interface HeldAppend {
  readonly topic: string;
  readonly numbers: readonly number[];
  settle(outcomes?: readonly AppendOutcome[]): void;
}

/** A broker whose appends the test settles. `next` waits for the next append. */
const heldBroker = () => {
  const arrived: HeldAppend[] = [];
  const waiters: ((append: HeldAppend) => void)[] = [];
  return {
    append: (topic: string, given: readonly BrokerRecord[]) =>
      new Promise<readonly AppendOutcome[]>((resolve) => {
        const append = {
          topic,
          numbers: given.map(({ timestamp }) => timestamp),
          settle: (outcomes: readonly AppendOutcome[] = given.map(stored)) => {
            resolve(outcomes);
          },
        };
        const waiter = waiters.shift();
        if (waiter === undefined) arrived.push(append);
        else waiter(append);
      }),
    arrived,
    next: () =>
      new Promise<HeldAppend>((resolve) => {
        const append = arrived.shift();
        if (append === undefined) waiters.push(resolve);
        else resolve(append);
      }),
  };
};

const batcherOn = (broker: BatcherOptions["broker"], options: Partial<BatcherOptions> = {}): Batcher =>
  createBatcher({
    broker,
    deliveryTimeoutMs: 60_000,
    maxBufferedBytes: 1e9,
    maxAppendRecords: 500,
    maxAppendBytes: 900_000,
    ...options,
  });

/** Stops the clock. With real time a pause of the process could let the next call expire too. */
const stopClock = (): void => {
  jest.useFakeTimers({ doNotFake: ["setImmediate", "nextTick", "queueMicrotask"] });
};

afterEach(() => {
  jest.useRealTimers();
});

describe("the batcher", () => {
  it("keeps the order of calls with the same order object, also if they share an append", async () => {
    const broker = heldBroker();
    const batcher = batcherOn(broker, { maxAppendRecords: 10 });
    const order = {};
    const calls = [
      batcher.append("t", records(0, 7), order),
      batcher.append("t", records(7, 7), order),
      batcher.append("t", records(100, 3)),
      batcher.append("t", records(14, 7), order),
    ];
    const numbers: number[] = [];
    while (numbers.length < 24) {
      const append = await broker.next();
      numbers.push(...append.numbers);
      append.settle();
    }
    expect(numbers.filter((n) => n < 100)).toEqual(Array.from({ length: 21 }, (_, n) => n));
    expect((await Promise.all(calls)).flat()).toHaveLength(24);
  });

  it("sends the next call of an order after the previous call has expired", async () => {
    stopClock();
    const broker = heldBroker();
    const batcher = batcherOn(broker, { maxAppendRecords: 2, deliveryTimeoutMs: 30 });
    const order = {};
    const first = batcher.append("t", records(0, 4), order);
    const held = await broker.next();
    await jest.advanceTimersByTimeAsync(60);
    expect((await first).map(said)).toEqual([
      "BROKER_AMBIGUOUS",
      "BROKER_AMBIGUOUS",
      "BROKER_UNAVAILABLE",
      "BROKER_UNAVAILABLE",
    ]);
    const second = batcher.append("t", [record(9)], order);
    held.settle();
    (await broker.next()).settle();
    expect((await second).map(said)).toEqual(["9"]);
  });

  it("appends at once when idle, and collects calls while an append is in flight", async () => {
    const broker = heldBroker();
    const batcher = batcherOn(broker);
    const first = batcher.append("t", [record(0)]);
    const one = await broker.next();
    const later = [1, 2, 3].map((n) => batcher.append("t", [record(n)]));
    expect(broker.arrived).toHaveLength(0);
    one.settle();
    const two = await broker.next();
    two.settle();

    expect([one.numbers, two.numbers]).toEqual([[0], [1, 2, 3]]);
    expect((await first).map(said)).toEqual(["0"]);
    expect((await Promise.all(later)).map((outcomes) => outcomes.map(said))).toEqual([["1"], ["2"], ["3"]]);
    expect(batcher.bufferedBytes).toBe(0);
  });

  it("puts the calls of one turn of the event loop into one append", async () => {
    const broker = heldBroker();
    const batcher = batcherOn(broker);
    void batcher.append("t", [record(0)]);
    await Promise.resolve();
    void batcher.append("t", [record(1)]);
    const append = await broker.next();
    append.settle();
    expect(append.numbers).toEqual([0, 1]);
  });

  it("appends to a topic without waiting for other topics", async () => {
    const broker = heldBroker();
    const batcher = batcherOn(broker);
    const stuck = batcher.append("stuck", [record(0)]);
    const free = batcher.append("free", [record(1)]);
    const appends = [await broker.next(), await broker.next()];
    appends.find(({ topic }) => topic === "free")?.settle();
    expect((await free).map(said)).toEqual(["1"]);
    appends.find(({ topic }) => topic === "stuck")?.settle();
    expect((await stuck).map(said)).toEqual(["0"]);
  });

  it("splits a large call in order, and serves a small call in between", async () => {
    const broker = heldBroker();
    const batcher = batcherOn(broker, { maxAppendRecords: 4 });
    const large = batcher.append("t", records(0, 10));
    const one = await broker.next();
    const small = batcher.append("t", [record(100)]);
    one.settle();
    const two = await broker.next();
    two.settle();
    expect((await small).map(said)).toEqual(["100"]);
    const three = await broker.next();
    three.settle();

    expect([one.numbers, two.numbers, three.numbers]).toEqual([
      [0, 1, 2, 3],
      [4, 5, 100, 6],
      [7, 8, 9],
    ]);
    expect((await large).map(said)).toEqual(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
  });

  it("keeps an append below its maximum size, and sends a larger record alone", async () => {
    const broker = heldBroker();
    const batcher = batcherOn(broker, { maxAppendBytes: 1000 });
    void batcher.append("t", [record(0, 400), record(1, 400), record(2, 5000), record(3, 1)]);
    const sizes = [];
    for (let i = 0; i < 3; i++) {
      const append = await broker.next();
      sizes.push(append.numbers);
      append.settle();
    }
    expect(sizes).toEqual([[0, 1], [2], [3]]);
  });

  it("returns each event's own outcome", async () => {
    const broker = heldBroker();
    const batcher = batcherOn(broker, { maxAppendRecords: 2 });
    const call = batcher.append("t", records(0, 3));
    const failed: AppendOutcome = { status: "failed", error: new GatewayError("RECORD_TOO_LARGE") };
    (await broker.next()).settle([stored(record(0)), failed]);
    (await broker.next()).settle();
    expect((await call).map(said)).toEqual(["0", "RECORD_TOO_LARGE", "2"]);
  });

  it("returns no outcomes for no records", async () => {
    await expect(batcherOn(heldBroker()).append("t", [])).resolves.toEqual([]);
  });

  it("reports the outcome as unknown if the adapter rejects", async () => {
    const batcher = batcherOn({ append: () => Promise.reject(new Error("broken")) });
    expect((await batcher.append("t", records(0, 2))).map(said)).toEqual([
      "BROKER_AMBIGUOUS",
      "BROKER_AMBIGUOUS",
    ]);
  });

  it("reports the duration and the number of records of each append", async () => {
    const broker = heldBroker();
    const seen: number[] = [];
    const batcher = batcherOn(broker, {
      appendObserved: (seconds, count) => seen.push(Math.sign(seconds), count),
    });
    const call = batcher.append("t", records(0, 3));
    (await broker.next()).settle();
    await call;
    expect(seen).toEqual([1, 3]);
  });
});

describe("an event's deadline", () => {
  beforeEach(stopClock);

  it("fails waiting records as not stored, and records in flight as unknown", async () => {
    const broker = heldBroker();
    const batcher = batcherOn(broker, { deliveryTimeoutMs: 20, maxAppendRecords: 2 });
    const call = batcher.append("t", records(0, 3));
    const stuck = await broker.next();
    const late = batcher.append("t", [record(9)]);
    await jest.advanceTimersByTimeAsync(40);
    expect((await call).map(said)).toEqual(["BROKER_AMBIGUOUS", "BROKER_AMBIGUOUS", "BROKER_UNAVAILABLE"]);
    expect((await late).map(said)).toEqual(["BROKER_UNAVAILABLE"]);

    const next = batcher.append("t", [record(10)]);
    expect(broker.arrived).toHaveLength(0);
    stuck.settle();
    const after = await broker.next();
    after.settle();
    expect(after.numbers).toEqual([10]);
    expect((await next).map(said)).toEqual(["10"]);
    expect(batcher.bufferedBytes).toBe(0);
  });

  it("keeps known outcomes", async () => {
    const broker = heldBroker();
    const batcher = batcherOn(broker, { deliveryTimeoutMs: 50, maxAppendRecords: 1 });
    const call = batcher.append("t", records(0, 3));
    (await broker.next()).settle();
    await broker.next();
    await jest.advanceTimersByTimeAsync(100);
    expect((await call).map(said)).toEqual(["0", "BROKER_AMBIGUOUS", "BROKER_UNAVAILABLE"]);
  });
});

describe("the limit of the buffer", () => {
  it("refuses a call that does not fit, and accepts it when there is room", async () => {
    const broker = heldBroker();
    const batcher = batcherOn(broker, { maxBufferedBytes: 1000 });
    const first = batcher.append("t", [record(0, 800)]);
    expect((await batcher.append("u", [record(1, 800), record(2)])).map(said)).toEqual([
      "OVERLOADED",
      "OVERLOADED",
    ]);
    (await broker.next()).settle();
    await first;
    const again = batcher.append("u", [record(1, 800)]);
    (await broker.next()).settle();
    expect((await again).map(said)).toEqual(["1"]);
  });

  it("accepts one call that is larger than the buffer", async () => {
    const broker = heldBroker();
    const batcher = batcherOn(broker, { maxBufferedBytes: 1000 });
    const call = batcher.append("t", [record(0, 5000)]);
    (await broker.next()).settle();
    expect((await call).map(said)).toEqual(["0"]);
  });

  it("counts records in flight until the broker has settled them", async () => {
    const broker = heldBroker();
    const batcher = batcherOn(broker, { deliveryTimeoutMs: 20 });
    const call = batcher.append("t", [record(0, 1000)]);
    const append = await broker.next();
    await call;
    expect(batcher.bufferedBytes).toBeGreaterThan(1000);
    append.settle();
    await batcher.close();
    expect(batcher.bufferedBytes).toBe(0);
  });
});

describe("close", () => {
  it("refuses new calls and waits for accepted calls", async () => {
    const broker = heldBroker();
    const batcher = batcherOn(broker, { maxAppendRecords: 1 });
    const call = batcher.append("t", records(0, 2));
    const append = await broker.next();
    const closed = batcher.close();
    expect((await batcher.append("t", [record(9)])).map(said)).toEqual(["SHUTTING_DOWN"]);
    append.settle();
    (await broker.next()).settle();
    await closed;
    expect((await call).map(said)).toEqual(["0", "1"]);
    await batcher.close();
  });

  it("resolves at once without accepted calls", async () => {
    await expect(batcherOn(heldBroker()).close()).resolves.toBeUndefined();
  });
});

it("sends every event once, in order, and returns its own outcome, whatever fails", async () => {
  const call = fc.record({
    topic: fc.constantFrom("a", "b"),
    size: fc.integer({ min: 1, max: 12 }),
    pause: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(call, { maxLength: 30 }),
      fc.infiniteStream(fc.boolean()),
      async (calls, fails) => {
        const busy = new Set<string>();
        const seen: Record<string, number[]> = { a: [], b: [] };
        const expected = new Map<number, string>();
        const append = async (
          topic: string,
          given: readonly BrokerRecord[],
        ): Promise<readonly AppendOutcome[]> => {
          expect(busy.has(topic)).toBe(false);
          busy.add(topic);
          seen[topic]?.push(...given.map(({ timestamp }) => timestamp));
          await new Promise((resolve) => setImmediate(resolve));
          busy.delete(topic);
          return given.map((each) => {
            const outcome: AppendOutcome =
              fails.next().value === true
                ? { status: "failed", error: new GatewayError("BROKER_UNAVAILABLE") }
                : stored(each);
            expected.set(each.timestamp, said(outcome));
            return outcome;
          });
        };
        const batcher = batcherOn({ append }, { maxAppendRecords: 5 });
        const settled: Promise<void>[] = [];
        let n = 0;
        for (const { topic, size, pause } of calls) {
          const own = records(n, size);
          n += size;
          settled.push(
            batcher.append(topic, own).then((outcomes) => {
              expect(outcomes.map(said)).toEqual(own.map(({ timestamp }) => expected.get(timestamp)));
              const order = seen[topic]?.filter(
                (at) => at >= (own[0]?.timestamp ?? 0) && at < (own[0]?.timestamp ?? 0) + size,
              );
              expect(order).toEqual(own.map(({ timestamp }) => timestamp));
            }),
          );
          if (pause) await new Promise((resolve) => setImmediate(resolve));
        }
        await Promise.all(settled);
        expect(expected.size).toBe(n);
        expect(batcher.bufferedBytes).toBe(0);
      },
    ),
    { numRuns: 60 },
  );
});

describe("an overload", () => {
  it("refuses new calls while every call waits long, and ends with the queue", async () => {
    stopClock();
    const broker = heldBroker();
    const batcher = batcherOn(broker, { longestWaitMs: 20 });
    const taken: Promise<readonly AppendOutcome[]>[] = [];
    const append = (): void => void taken.push(batcher.append("t", [record(taken.length)]));
    append();
    for (let round = 0; round < 2; round++) {
      const held = await broker.next();
      append();
      jest.advanceTimersByTime(30);
      held.settle();
    }
    const last = await broker.next();

    expect((await batcher.append("t", [record(9)])).map(said)).toStrictEqual(["OVERLOADED"]);
    const elsewhere = batcher.append("other", [record(9)]);
    (await broker.next()).settle();

    expect((await elsewhere).map(said)).toStrictEqual(["9"]);

    last.settle();

    expect((await Promise.all(taken)).flat().map(said)).toStrictEqual(["0", "1", "2"]);

    const again = batcher.append("t", [record(10)]);
    (await broker.next()).settle();

    expect((await again).map(said)).toStrictEqual(["10"]);
  });
});

describe("a withdrawn call", () => {
  const watch = (batcher: Batcher, numbers: readonly BrokerRecord[]) => {
    const said: (readonly AppendOutcome[])[] = [];
    const late: [number, readonly AppendOutcome[]][] = [];
    batcher.watch("orders", numbers, {
      ended: (outcomes) => said.push(outcomes),
      late: (from, outcomes) => late.push([from, outcomes]),
    });
    return { said, late };
  };

  it("is not sent if it waits, and gets the late outcome if it is in flight", async () => {
    const broker = heldBroker();
    const batcher = batcherOn(broker);
    const first = watch(batcher, records(0, 2));
    const append = await broker.next();
    const second = watch(batcher, records(2, 1));
    const other = batcher.append("orders", records(3, 1));
    batcher.withdraw("orders");
    expect(first.said).toEqual([[IN_FLIGHT, IN_FLIGHT]]);
    expect(second.said.flat().map(said)).toEqual(["BROKER_UNAVAILABLE"]);
    append.settle();
    const next = await broker.next();
    expect(next.numbers).toEqual([3]);
    next.settle();
    expect((await other).map(said)).toEqual(["3"]);
    expect(first.late.map(([from, outcomes]) => [from, outcomes.map(said)])).toEqual([[0, ["0", "1"]]]);
    expect([second.late, batcher.bufferedBytes]).toEqual([[], 0]);
  });
});
