/** Handlers of a subscription, called as an adapter may call them. */
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

/** A session of which the test is both the broker and the endpoint. */
const openWith = async ({ orderKeyOf = plan.orderKeyOf, progress = createProgress(), ends }: Given = {}) => {
  const group = { silence: 0 };
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
  const observer = { attempted: () => undefined, dropped: () => undefined, fault: () => undefined };
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
  /** Answers all requests, and those that follow, but for the first one. */
  const answerOthers = async (): Promise<void> => {
    while (answers.length > 1) {
      answers.splice(1, 1)[0]?.(DONE);
      await new Promise(setImmediate);
    }
  };
  return { clock, sent, commits, positions, session, handlers, answer, answerOthers, group, progress };
};

describe("a partition that is revoked", () => {
  it("stores what is finished at once, and what was in flight when it has ended; nothing more is sent", async () => {
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

  it("is given up after a while, whatever is still in flight", async () => {
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

  it("and comes back before that is over sends again only what has not ended", async () => {
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

describe("records", () => {
  it("of a partition that isn't ours are left alone", async () => {
    const { handlers, sent } = await openWith();
    handlers.onRecords([record(5n)]);

    expect(sent).toStrictEqual([]);
  });

  it("are committed half a second after they have ended", async () => {
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

/** Each record in a lane of its own. */
const NO_ORDER = { orderKeyOf: ORDER_KEYS.none };
const TEN = Array.from({ length: 10 }, (_, n) => record(BigInt(n)));

describe("many records that end", () => {
  it("are stored before half a second is over, so that few come again after a crash", async () => {
    const { handlers, commits, answer } = await openWith(NO_ORDER);
    handlers.onAssigned?.([PARTITION]);
    handlers.onRecords(TEN);
    for (let ended = 0; ended < 8; ended += 1) await answer();

    expect(commits).toStrictEqual([8n]);
  });
});

describe("a record that is not finished", () => {
  it("doesn't make another process send again what is finished behind it", async () => {
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

  it("doesn't make the same process do so, though its position could not be stored", async () => {
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

  it("and what is behind it are sent again where somebody has set the position", async () => {
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

  it("and what is behind it are sent where the topic was created again", async () => {
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

describe("a process that has not heard from its group for a session", () => {
  it("sends nothing until the group has confirmed that it is still a member", async () => {
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

  it("sends nothing of a partition that is taken away meanwhile", async () => {
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
  it("are passed by the position once everything before them is finished", async () => {
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

  it("are passed in half a minute where there is nothing else", async () => {
    const { clock, handlers, commits } = await openWith();
    handlers.onAssigned?.([PARTITION]);
    handlers.onPassed?.({ ...PARTITION, offset: 9n });
    clock.advance(30_500);
    await new Promise(setImmediate);

    expect(commits).toStrictEqual([9n]);
  });

  it("let a plan come to its end, and not beyond", async () => {
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
