/** The session's subscription handlers, called as a broker adapter may call them. */
import type {
  ConsumedRecord,
  GroupPosition,
  Subscription,
  SubscriptionHandlers,
} from "../../../src/broker/broker.ts";
import { createMemoryBroker } from "../../../src/broker/memory/memory-broker.ts";
import { createCourier } from "../../../src/delivery/engine/courier.ts";
import type { DeliveryPlan, HttpResult } from "../../../src/delivery/engine/delivery-plan.ts";
import { ORDER_KEYS, type OrderKeyOf } from "../../../src/delivery/engine/ordering.ts";
import { createProgress, type Progress } from "../../../src/delivery/engine/progress.ts";
import { openSession } from "../../../src/delivery/engine/delivery-session.ts";
import { STRATEGIES } from "../../../src/delivery/engine/strategy.ts";
import { GatewayError } from "../../../src/errors.ts";
import { createFakeClock } from "../../support/fake-clock.ts";

const PARTITION = { topic: "orders", partition: 0 };
const DONE: HttpResult = { status: 200, retryAfter: undefined, body: Buffer.alloc(0) };

const record = (offset: bigint): ConsumedRecord => ({
  ...PARTITION,
  offset,
  timestamp: 1,
  key: null,
  value: Buffer.from(String(offset)),
  headers: [],
});

const plan: DeliveryPlan = {
  name: "crm",
  group: "connect-crm",
  topics: { names: ["orders"] },
  endpoint: {
    admit: () => "deliver",
    render: ({ value }) => ({ origin: "http://sink", path: "/", method: "POST", headers: [], body: value }),
    classify: () => "done",
  },
  strategy: STRATEGIES.STOP_TASK({ retry: [], down: [] }),
  orderKeyOf: ORDER_KEYS.partition,
  inFlight: 4,
  delayMs: 0,
  jitter: 0,
  maxRetryAfterMs: 0,
  ratePerSecond: undefined,
  deadLetterTopic: undefined,
  connectTimeoutMs: 0,
  readTimeoutMs: 0,
};

interface Given {
  readonly orderKeyOf?: OrderKeyOf;
  readonly progress?: Progress;
  readonly ends?: ReadonlyMap<number, bigint>;
}

/** A session with the test as the broker and as the endpoint. */
const openWith = async ({ orderKeyOf = plan.orderKeyOf, progress = createProgress(), ends }: Given = {}) => {
  const group = { silence: 0, refusedCommits: 0 };
  const given: DeliveryPlan = { ...plan, orderKeyOf, ...(ends !== undefined && { ends }) };
  const clock = createFakeClock();
  const sent: string[] = [];
  const answers: ((result: HttpResult) => void)[] = [];
  const commits: bigint[] = [];
  const positions: GroupPosition[] = [];
  let handlers: SubscriptionHandlers | undefined;
  const subscription: Subscription = {
    assignment: [],
    get silence() {
      return group.silence;
    },
    pause: () => undefined,
    resume: () => undefined,
    seek: () => undefined,
    commit: (stored) => {
      group.refusedCommits -= 1;
      if (group.refusedCommits >= 0) return Promise.reject(new GatewayError("BROKER_UNAVAILABLE"));
      positions.push(...stored);
      commits.push(...stored.map(({ offset }) => offset));
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
  const broker = {
    ...createMemoryBroker(),
    subscribe: (_: unknown, given: SubscriptionHandlers) => {
      handlers = given;
      return Promise.resolve(subscription);
    },
  };
  const observer = {
    attempted: () => undefined,
    dropped: () => undefined,
    skipped: () => undefined,
    fault: () => undefined,
  };
  const courier = createCourier({
    plan: given,
    clock,
    observer,
    random: () => 0,
    drop: () => Promise.resolve({ action: "dropped" as const }),
    onStop: () => undefined,
    client: {
      send: ({ body }) => {
        sent.push(String(body));
        return new Promise((resolve) => answers.push(resolve));
      },
      close: () => Promise.resolve(),
    },
  });
  const session = await openSession({
    broker,
    plan: given,
    topics: ["orders"],
    courier,
    clock,
    observer,
    progress,
  });
  if (handlers === undefined) throw new Error("nothing was subscribed");
  const answer = async (): Promise<void> => {
    answers.shift()?.(DONE);
    await new Promise(setImmediate);
  };
  /** Answers all requests except the oldest, also the requests that follow. */
  const answerOthers = async (): Promise<void> => {
    while (answers.length > 1) {
      answers.splice(1, 1)[0]?.(DONE);
      await new Promise(setImmediate);
    }
  };
  return { clock, sent, commits, positions, session, handlers, answer, answerOthers, group, progress };
};

describe("a revoked partition", () => {
  it("commits finished records at once and requests in flight at their end, and sends no more records", async () => {
    const { handlers, sent, commits, answer } = await openWith();
    handlers.onAssigned?.([PARTITION]);
    handlers.onRecords([record(5n), record(6n), record(7n)]);
    await answer();
    const revoked = handlers.onRevoked?.([PARTITION]);
    await new Promise(setImmediate);

    expect(commits).toStrictEqual([6n]);

    await answer();
    await revoked;

    expect(commits).toStrictEqual([6n, 7n]);
    expect(sent).toStrictEqual(["5", "6"]);
  });

  it("is released after 4 seconds, also with a request in flight", async () => {
    const { clock, handlers, sent, answer, session } = await openWith();
    handlers.onAssigned?.([PARTITION]);
    handlers.onRecords([record(5n), record(6n)]);
    const revoked = handlers.onRevoked?.([PARTITION]);
    clock.advance(4000);
    await revoked;
    await answer();

    expect(session.claims).toStrictEqual([]);
    expect(sent).toStrictEqual(["5"]);
  });

  it("is kept until its request in flight has ended, if the adapter waits longer", async () => {
    const { clock, handlers, commits, answer, session } = await openWith();
    handlers.onAssigned?.([PARTITION]);
    handlers.onRecords([record(5n), record(6n)]);
    const revoked = handlers.onRevoked?.([PARTITION], 60_000);
    clock.advance(58_000);
    await new Promise(setImmediate);

    expect(session.claims).toHaveLength(1);

    await answer();
    await revoked;

    expect(commits.at(-1)).toBe(6n);
    expect(session.claims).toStrictEqual([]);
  });

  it("is kept until its position is stored, if the adapter waits longer", async () => {
    const { clock, handlers, commits, answer, session, group } = await openWith();
    handlers.onAssigned?.([PARTITION]);
    handlers.onRecords([record(5n)]);
    group.refusedCommits = 2;
    const revoked = handlers.onRevoked?.([PARTITION], 60_000);
    await answer();

    expect(session.claims).toHaveLength(1);

    while (commits.length === 0) {
      clock.advance(500);
      await new Promise(setImmediate);
    }
    await revoked;

    expect(commits).toStrictEqual([6n]);
    expect(session.claims).toStrictEqual([]);
  });

  it("is released at the adapter's time limit, also without a stored position", async () => {
    const { clock, handlers, answer, session, group } = await openWith();
    handlers.onAssigned?.([PARTITION]);
    handlers.onRecords([record(5n)]);
    group.refusedCommits = Infinity;
    const revoked = handlers.onRevoked?.([PARTITION], 60_000);
    await answer();
    for (let half = 0; half < 120 && session.claims.length > 0; half += 1) {
      clock.advance(500);
      await new Promise(setImmediate);
    }
    await revoked;

    expect(session.claims).toStrictEqual([]);
  });

  it("that is assigned again during the revocation sends each record once", async () => {
    const { handlers, sent, answer } = await openWith();
    handlers.onAssigned?.([PARTITION]);
    handlers.onRecords([record(5n), record(6n)]);
    const revoked = handlers.onRevoked?.([PARTITION]);
    handlers.onAssigned?.([PARTITION]);
    handlers.onRecords([record(5n), record(6n)]);
    await answer();
    await answer();
    await revoked;

    expect(sent).toStrictEqual(["5", "6"]);
  });
});

describe("a session that closes", () => {
  it.each([
    [4000, undefined],
    [4000, 5000],
    [13_000, 19_000],
  ])("waits %i ms for the requests in flight, if it may take %s ms", async (ms, withinMs) => {
    const { clock, handlers, sent, answer, session, commits } = await openWith();
    handlers.onAssigned?.([PARTITION]);
    handlers.onRecords([record(5n), record(6n)]);
    let isClosed = false;
    const closed = session.close(withinMs).then(() => (isClosed = true));
    clock.advance(ms - 1);
    await new Promise(setImmediate);

    expect(isClosed).toBe(false);

    clock.advance(1);
    await closed;
    await answer();

    expect(sent).toStrictEqual(["5"]);
    expect(commits).toStrictEqual([5n]);
  });

  it("ends when its requests in flight have ended and are committed", async () => {
    const { clock, handlers, answer, session, commits } = await openWith();
    handlers.onAssigned?.([PARTITION]);
    handlers.onRecords([record(5n)]);
    const closed = session.close(19_000);
    clock.advance(12_000);
    await answer();
    await closed;

    expect(commits.at(-1)).toBe(6n);
  });
});

describe("records", () => {
  it("of an unassigned partition are ignored", async () => {
    const { handlers, sent } = await openWith();
    handlers.onRecords([record(5n)]);

    expect(sent).toStrictEqual([]);
  });

  it("are committed half a second after their delivery", async () => {
    const { clock, handlers, commits, answer } = await openWith();
    handlers.onAssigned?.([PARTITION]);
    handlers.onRecords([record(5n), record(6n)]);
    await answer();
    await answer();

    expect(commits).toStrictEqual([]);

    clock.advance(500);
    await new Promise(setImmediate);

    expect(commits).toStrictEqual([7n]);
  });
});

/** Each record in a queue of its own. */
const NO_ORDER = { orderKeyOf: ORDER_KEYS.none };
const TEN = Array.from({ length: 10 }, (_, n) => record(BigInt(n)));

describe("many finished records", () => {
  it("are committed before half a second has passed, so that few are sent again after a crash", async () => {
    const { handlers, commits, answer } = await openWith(NO_ORDER);
    handlers.onAssigned?.([PARTITION]);
    handlers.onRecords(TEN);
    for (let ended = 0; ended < 8; ended += 1) await answer();

    expect(commits).toStrictEqual([8n]);
  });
});

describe("an unfinished record", () => {
  it("doesn't make another process send the finished records behind it again", async () => {
    const first = await openWith(NO_ORDER);
    first.handlers.onAssigned?.([PARTITION]);
    first.handlers.onRecords(TEN);
    await first.answerOthers();
    first.clock.advance(500);
    await new Promise(setImmediate);
    const stored = first.positions.at(-1);

    expect(stored).toMatchObject({ offset: 0n });

    const second = await openWith(NO_ORDER);
    second.handlers.onAssigned?.([PARTITION]);
    if (stored !== undefined) second.handlers.onStart?.(stored);
    second.handlers.onRecords([...TEN, record(10n)]);

    expect(second.sent).toStrictEqual(["0", "10"]);
  });

  it("doesn't make the same process send them again, also if the position was not committed", async () => {
    const first = await openWith(NO_ORDER);
    first.handlers.onAssigned?.([PARTITION]);
    first.handlers.onRecords(TEN);
    await first.answerOthers();
    const closing = first.session.close();
    first.clock.advance(4000);
    await closing;
    const kept = first.positions.at(-1);

    const second = await openWith({ ...NO_ORDER, progress: first.progress });
    second.handlers.onAssigned?.([PARTITION]);
    if (kept !== undefined) second.handlers.onStart?.(kept);
    second.handlers.onRecords(TEN);

    expect(second.sent).toStrictEqual(["0"]);
  });

  it("and the records behind it are sent again if an operator has set the position", async () => {
    const first = await openWith(NO_ORDER);
    first.handlers.onAssigned?.([PARTITION]);
    first.handlers.onRecords(TEN);
    await first.answerOthers();
    const closing = first.session.close();
    first.clock.advance(4000);
    await closing;

    const second = await openWith({ ...NO_ORDER, progress: first.progress });
    second.handlers.onAssigned?.([PARTITION]);
    second.handlers.onStart?.({ ...PARTITION, offset: 0n });
    second.handlers.onRecords(TEN.slice(0, 4));

    expect(second.sent).toStrictEqual(["0", "1", "2", "3"]);
  });

  it("and the records behind it are sent if the topic was created again", async () => {
    const first = await openWith(NO_ORDER);
    first.handlers.onAssigned?.([PARTITION]);
    first.handlers.onRecords(TEN);
    await first.answerOthers();
    const revoked = first.handlers.onRevoked?.([PARTITION]);
    first.clock.advance(4000);
    await revoked;
    first.handlers.onRecreated?.("orders");
    first.handlers.onAssigned?.([PARTITION]);
    first.sent.length = 0;
    first.handlers.onRecords(TEN.slice(0, 3));
    await first.answer();

    expect(first.sent).toContain("1");
  });
});

describe("a process without an answer of its group for a session", () => {
  it("sends no record until the group has confirmed its membership", async () => {
    const { clock, handlers, sent, answer, group } = await openWith();
    handlers.onAssigned?.([PARTITION]);
    handlers.onRecords([record(5n), record(6n), record(7n)]);
    group.silence = 1.01;
    await answer();
    clock.advance(5000);

    expect(sent).toStrictEqual(["5"]);

    group.silence = 0.1;
    clock.advance(250);

    expect(sent).toStrictEqual(["5", "6"]);
  });

  it("sends no record of a partition that is revoked meanwhile", async () => {
    const { clock, handlers, sent, answer, group } = await openWith();
    handlers.onAssigned?.([PARTITION]);
    handlers.onRecords([record(5n), record(6n)]);
    group.silence = 2;
    await answer();
    await handlers.onRevoked?.([PARTITION]);
    group.silence = 0;
    clock.advance(5000);

    expect(sent).toStrictEqual(["5"]);
  });
});

describe("offsets without records for readers", () => {
  it("are passed by the position once all records before them are finished", async () => {
    const { clock, handlers, commits, answer } = await openWith();
    handlers.onAssigned?.([PARTITION]);
    handlers.onRecords([record(5n)]);
    handlers.onPassed?.({ ...PARTITION, offset: 9n });
    clock.advance(500);
    await answer();
    clock.advance(500);
    await new Promise(setImmediate);

    expect(commits).toStrictEqual([9n]);
  });

  it("are passed after 30 seconds if there is no other record", async () => {
    const { clock, handlers, commits } = await openWith();
    handlers.onAssigned?.([PARTITION]);
    handlers.onPassed?.({ ...PARTITION, offset: 9n });
    clock.advance(30_500);
    await new Promise(setImmediate);

    expect(commits).toStrictEqual([9n]);
  });

  it("let the position reach the plan's end, and not pass it", async () => {
    const { clock, handlers, commits, sent, answer } = await openWith({ ends: new Map([[0, 8n]]) });
    handlers.onAssigned?.([PARTITION]);
    handlers.onRecords([record(5n), record(9n)]);
    handlers.onPassed?.({ ...PARTITION, offset: 20n });
    await answer();
    clock.advance(500);
    await new Promise(setImmediate);

    expect(sent).toStrictEqual(["5"]);
    expect(commits).toStrictEqual([8n]);
  });
});
