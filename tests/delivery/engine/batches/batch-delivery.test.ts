/** The life of batches in a session, with the test as the broker and as the endpoint. */
import type { ConsumedRecord, Subscription, SubscriptionHandlers } from "../../../../src/broker/broker.ts";
import { createMemoryBroker } from "../../../../src/broker/memory/memory-broker.ts";
import { createCourier } from "../../../../src/delivery/engine/courier.ts";
import type { DropEnd } from "../../../../src/delivery/engine/dead-letters.ts";
import type {
  Batching,
  DeliveryPlan,
  HttpResult,
  Prepared,
} from "../../../../src/delivery/engine/delivery-plan.ts";
import { openSession } from "../../../../src/delivery/engine/delivery-session.ts";
import type { AttemptReport } from "../../../../src/delivery/engine/observer.ts";
import { ORDER_KEYS, type Ordering } from "../../../../src/delivery/engine/ordering.ts";
import { createProgress } from "../../../../src/delivery/engine/progress.ts";
import { STRATEGIES, type StrategyName } from "../../../../src/delivery/engine/strategy.ts";
import { createFakeClock } from "../../../support/fake-clock.ts";

const P0 = { topic: "orders", partition: 0 };
const P1 = { topic: "orders", partition: 1 };

const OK: HttpResult = { status: 200, retryAfter: undefined, body: Buffer.alloc(0) };
const FAILED: HttpResult = { ...OK, status: 500 };

interface Given {
  readonly ordering?: Ordering;
  readonly inFlight?: number;
  readonly strategy?: StrategyName;
  readonly batching?: Partial<Batching>;
  readonly drop?: (offset: bigint) => DropEnd;
  /** Readiness of a value. Absent: all values are ready. */
  readonly ready?: (value: string) => Promise<void> | undefined;
}

const textOf = ({ value }: ConsumedRecord): string => String(value);

const settle = (): Promise<void> => new Promise(setImmediate);

/** Values that begin with `skip`, `drop` or `stop` can't be prepared. The body of a batch is its values with commas. */
const openWith = async (given: Given = {}) => {
  const { ordering = "partition", inFlight = 1, strategy = "PROGRESS_BACK_OFF_STOP_TASK" } = given;
  const clock = createFakeClock();
  const sent: string[] = [];
  const answers: ((result: HttpResult) => void)[] = [];
  const commits: string[] = [];
  const traces: string[] = [];
  const dropped: { readonly offset: bigint; readonly attempts: number }[] = [];
  const attempts: AttemptReport[] = [];
  let handlers: SubscriptionHandlers | undefined;

  const prepare = (record: ConsumedRecord): Prepared => {
    const value = textOf(record);
    if (value.startsWith("skip")) return { action: "skip" };
    if (value.startsWith("drop")) return { action: "drop", reason: value };
    return value.startsWith("stop") ? { action: "stop", reason: value } : { action: "send", record };
  };

  const plan: DeliveryPlan = {
    name: "crm",
    group: "connect-crm",
    topics: { names: ["orders"] },
    endpoint: {
      admit: () => "deliver",
      render: () => {
        throw new RangeError("a record was sent without a batch");
      },
      classify: (result) => ("status" in result && result.status === 200 ? "done" : "retry"),
    },
    batching: {
      ...{ maxRecords: 3, maxBytes: 1000, lingerMs: 0, frameBytes: 0 },
      groupOf: (record) => textOf(record)[0],
      bytesOf: ({ value }) => value?.length ?? 0,
      render: (records) => ({
        ...{ origin: "http://sink", path: "/", method: "POST", headers: [] },
        body: Buffer.from(records.map(textOf).join(",")),
      }),
      ...given.batching,
    },
    preparation: { ready: (record) => given.ready?.(textOf(record)), prepare },
    strategy: STRATEGIES[strategy]({ retry: [1000], down: [] }),
    orderKeyOf: ORDER_KEYS[ordering],
    inFlight,
    delayMs: 0,
    jitter: 0,
    maxRetryAfterMs: 0,
    ratePerSecond: undefined,
    deadLetterTopic: undefined,
    connectTimeoutMs: 0,
    readTimeoutMs: 0,
  };
  const subscription: Subscription = {
    assignment: [],
    silence: 0,
    pause: () => undefined,
    resume: () => undefined,
    seek: () => undefined,
    commit: (positions) => {
      commits.push(...positions.map(({ partition, offset }) => `${partition}@${offset}`));
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
  const broker = {
    ...createMemoryBroker(),
    subscribe: (_: unknown, theirs: SubscriptionHandlers) => {
      handlers = theirs;
      return Promise.resolve(subscription);
    },
  };
  const observer = {
    attempted: (report: AttemptReport) => attempts.push(report),
    dropped: () => undefined,
    skipped: () => undefined,
    fault: () => undefined,
  };
  const courier = createCourier({
    plan,
    clock,
    observer,
    random: () => 0,
    drop: (item) => {
      dropped.push({ offset: item.record.offset, attempts: item.attempts });
      return Promise.resolve(given.drop?.(item.record.offset) ?? { action: "dropped" });
    },
    onStop: (trace) => traces.push(trace),
    client: {
      send: ({ body }) => {
        sent.push(String(body));
        return new Promise((resolve) => answers.push(resolve));
      },
      close: () => Promise.resolve(),
    },
  });
  const progress = createProgress();
  const session = await openSession({ broker, plan, topics: ["orders"], courier, clock, observer, progress });
  if (handlers === undefined) throw new Error("nothing was subscribed");
  const joined = handlers;

  const records = (values: readonly string[], from = 0, partition = P0, keys: readonly string[] = []) => {
    joined.onRecords(
      values.map((value, index) => ({
        ...{ ...partition, offset: BigInt(from + index), timestamp: 1, headers: [] },
        ...{ key: Buffer.from(keys[index] ?? "k"), value: Buffer.from(value) },
      })),
    );
  };
  const answer = async (result: HttpResult = OK): Promise<void> => {
    answers.shift()?.(result);
    await settle();
  };
  joined.onAssigned?.([P0, P1]);
  const committed = async (): Promise<string | undefined> => {
    clock.advance(500);
    await settle();
    return commits.filter((text) => text.startsWith("0@")).at(-1);
  };
  return {
    ...{ handlers: joined, session, courier, clock, progress },
    ...{ sent, traces, dropped, attempts },
    records,
    answer,
    committed,
  };
};

describe("batches", () => {
  it("are one request each, and one after another in a partition", async () => {
    const { records, sent, answer, committed, attempts } = await openWith({ inFlight: 4 });
    records(["a1", "a2", "a3", "a4", "b1"]);

    expect(sent).toStrictEqual(["a1,a2,a3"]);

    await answer();

    expect(await committed()).toBe("0@3");
    expect(sent).toStrictEqual(["a1,a2,a3", "a4"]);

    await answer();
    await answer();

    expect(sent).toStrictEqual(["a1,a2,a3", "a4", "b1"]);
    expect(await committed()).toBe("0@5");
    expect(attempts.map(({ offset, records: count }) => [offset, count])).toStrictEqual([
      [0n, 3],
      [3n, 1],
      [4n, 1],
    ]);
  });

  it("collect the records that arrive while no request is free", async () => {
    const { records, sent, answer } = await openWith();
    records(["a1"]);
    records(["a2"], 1);
    records(["a3"], 2);

    expect(sent).toStrictEqual(["a1"]);

    await answer();

    expect(sent).toStrictEqual(["a1", "a2,a3"]);
  });

  it("never commit past an unfinished record of another group", async () => {
    const { records, sent, answer, committed } = await openWith({ ordering: "none", inFlight: 2 });
    records(["a1", "b1", "a2"]);

    expect(sent).toStrictEqual(["a1,a2", "b1"]);

    await answer();

    expect(await committed()).toBe("0@1");
  });

  it("of different partitions don't wait for each other", async () => {
    const { records, sent } = await openWith({ inFlight: 2 });
    records(["a1", "a2"]);
    records(["a1"], 0, P1);

    expect(sent).toStrictEqual(["a1,a2", "a1"]);
  });

  it("wait for further records until the linger time is over", async () => {
    const { records, sent, clock } = await openWith({ batching: { lingerMs: 100 } });
    records(["a1"]);
    clock.advance(60);
    records(["a2"], 1);

    expect(sent).toStrictEqual([]);

    clock.advance(40);

    expect(sent).toStrictEqual(["a1,a2"]);
  });
});

describe("a failed batch", () => {
  it("is sent again as it was, before later batches", async () => {
    const { records, sent, answer, clock } = await openWith();
    records(["a1", "a2"]);
    await answer(FAILED);
    records(["a3"], 2);
    clock.advance(999);

    expect(sent).toStrictEqual(["a1,a2"]);

    clock.advance(1);
    await answer();

    expect(sent).toStrictEqual(["a1,a2", "a1,a2", "a3"]);
  });

  it("stops the task after the last attempt, and nothing of it is committed", async () => {
    const { records, sent, answer, clock, traces, committed } = await openWith();
    records(["a1", "a2", "a3", "a4"]);
    await answer(FAILED);
    clock.advance(1000);
    await answer(FAILED);

    expect(sent).toStrictEqual(["a1,a2,a3", "a1,a2,a3"]);
    expect(traces).toStrictEqual(["Delivery stopped at orders-0@0 to 2 after attempt 2: HTTP status 500"]);
    expect(await committed()).toBeUndefined();
  });

  it("is dropped record by record, in order", async () => {
    const { records, sent, answer, dropped, committed } = await openWith({ strategy: "DROP_MESSAGE" });
    records(["a1", "a2", "a3", "a4"]);
    await answer(FAILED);

    expect(dropped.map(({ offset }) => offset)).toStrictEqual([0n, 1n, 2n]);
    expect(sent).toStrictEqual(["a1,a2,a3", "a4"]);
    expect(await committed()).toBe("0@3");
  });

  it("keeps the records without outcome, if a dead letter can't be stored", async () => {
    const { records, answer, traces, committed } = await openWith({
      strategy: "DROP_MESSAGE",
      drop: (offset) => (offset === 1n ? { action: "stop", trace: "full" } : { action: "dropped" }),
    });
    records(["a1", "a2", "a3"]);
    await answer(FAILED);

    expect(traces).toStrictEqual(["full"]);
    expect(await committed()).toBe("0@1");
  });
});

describe("a record that can't be prepared", () => {
  it("is skipped or dropped alone, and the other records share a batch", async () => {
    const { records, sent, dropped, answer, committed } = await openWith();
    records(["a1", "skip", "drop", "a2"]);
    await settle();

    expect(dropped).toStrictEqual([{ offset: 2n, attempts: 0 }]);
    expect(sent).toStrictEqual(["a1"]);

    await answer();
    await answer();

    expect(sent).toStrictEqual(["a1", "a2"]);
    expect(await committed()).toBe("0@4");
  });

  it("stops the task after the records before it are finished, and before those after it", async () => {
    const { records, sent, traces, answer, committed } = await openWith({ ordering: "none", inFlight: 4 });
    records(["a1", "b1", "stop", "a2"]);

    expect(sent).toStrictEqual(["a1", "b1"]);

    await answer();

    expect(traces).toStrictEqual([]);

    await answer();

    expect(traces).toStrictEqual(["Delivery stopped at orders-0@2: stop"]);
    expect(sent).toStrictEqual(["a1", "b1"]);
    expect(await committed()).toBe("0@2");
  });

  it("stops the task at once if nothing comes before it, and not if its partition was revoked", async () => {
    const first = await openWith();
    first.records(["stop"]);

    expect(first.traces).toHaveLength(1);

    const second = await openWith();
    second.records(["a1", "stop"]);
    const revoked = second.handlers.onRevoked?.([P0]);
    await second.answer();
    await revoked;

    expect(second.traces).toStrictEqual([]);
  });

  it("lets its partition wait until it can be prepared, and no other partition", async () => {
    let isReady = false;
    let release = (): void => undefined;
    const ready = (value: string): Promise<void> | undefined =>
      isReady || value !== "a2"
        ? undefined
        : new Promise((resolve) => {
            release = () => {
              isReady = true;
              resolve();
            };
          });
    const { records, sent, answer } = await openWith({ ready, inFlight: 2 });
    records(["a1", "a2", "a3"]);
    records(["a1"], 0, P1);

    expect(sent).toStrictEqual(["a1", "a1"]);

    release();
    await settle();
    await answer();

    expect(sent).toStrictEqual(["a1", "a1", "a2,a3"]);
  });
});

describe("a revoked partition", () => {
  it("gives its batches up, and the records keep their attempts when it comes back", async () => {
    const { handlers, records, sent, answer, clock, attempts } = await openWith();
    records(["a1", "a2", "a3", "a4"]);
    await answer(FAILED);
    await handlers.onRevoked?.([P0]);
    handlers.onAssigned?.([P0]);
    handlers.onStart?.({ ...P0, offset: 0n });
    records(["a1", "a2", "a3", "a4"]);

    expect(sent).toStrictEqual(["a1,a2,a3"]);

    clock.advance(1000);
    await answer();
    await answer();

    expect(sent).toStrictEqual(["a1,a2,a3", "a1,a2,a3", "a4"]);
    expect(attempts.map(({ attempt }) => attempt)).toStrictEqual([1, 2, 1]);
  });

  it("sends no record again that its request in flight finishes meanwhile", async () => {
    const { handlers, records, sent, answer } = await openWith({ inFlight: 2 });
    records(["a1", "a2"]);
    handlers.onAssigned?.([P0]);
    records(["a1", "a2", "a3"]);
    await answer();
    await answer();

    expect(sent).toStrictEqual(["a1,a2", "a3"]);
  });
});

describe("a pause", () => {
  it("sends no batch and no retry until the resume", async () => {
    const { courier, records, sent, answer, clock } = await openWith();
    records(["a1"]);
    await answer(FAILED);
    courier.pause();
    records(["a2"], 1);
    clock.advance(1000);

    expect(sent).toStrictEqual(["a1"]);

    courier.resume();
    await answer();

    expect(sent).toStrictEqual(["a1", "a1", "a2"]);
  });
});

describe("memory", () => {
  it("holds at most two full batches of prepared values of a partition", async () => {
    const asked: string[] = [];
    const ready = (value: string): undefined => {
      asked.push(value);
    };
    const { records, answer } = await openWith({ ready, batching: { maxBytes: 4 } });
    records(["a1", "a2", "a3", "a4", "a5", "a6"]);

    expect(asked).toStrictEqual(["a1", "a2", "a3", "a4"]);

    await answer();

    expect(asked).toStrictEqual(["a1", "a2", "a3", "a4", "a5", "a6"]);
  });
});
