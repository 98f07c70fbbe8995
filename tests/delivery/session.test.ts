/** Handlers of a subscription, called as an adapter may call them. */
import type { ConsumedRecord, Subscription, SubscriptionHandlers } from "../../src/broker/broker.ts";
import { createMemoryBroker } from "../../src/broker/memory/memory-broker.ts";
import { createCourier } from "../../src/delivery/courier.ts";
import type { DeliveryPlan } from "../../src/delivery/delivery-plan.ts";
import type { HttpResult } from "../../src/delivery/endpoints/endpoint.ts";
import { LANES } from "../../src/delivery/ordering.ts";
import { createProgress } from "../../src/delivery/progress.ts";
import { openSession } from "../../src/delivery/session.ts";
import { STRATEGIES } from "../../src/delivery/strategy/by-name.ts";
import { createFakeClock } from "../support/fake-clock.ts";

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
  laneOf: LANES.partition,
  inFlight: 4,
  delayMs: 0,
  jitter: 0,
  honourRetryAfter: false,
  ratePerSecond: undefined,
  deadLetterTopic: undefined,
  connectTimeoutMs: 0,
  readTimeoutMs: 0,
};

/** A session of which the test is both the broker and the endpoint. */
const openWith = async () => {
  const clock = createFakeClock();
  const sent: string[] = [];
  const answers: ((result: HttpResult) => void)[] = [];
  const commits: bigint[] = [];
  let handlers: SubscriptionHandlers | undefined;
  const subscription: Subscription = {
    assignment: [],
    silence: 0,
    pause: () => undefined,
    resume: () => undefined,
    seek: () => undefined,
    commit: (positions) => {
      commits.push(...positions.map(({ offset }) => offset));
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
    plan,
    clock,
    observer,
    random: () => 0,
    drop: () => Promise.resolve(true),
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
    plan,
    topics: ["orders"],
    courier,
    clock,
    observer,
    progress: createProgress(),
  });
  if (handlers === undefined) throw new Error("nothing was subscribed");
  const answer = async (): Promise<void> => {
    answers.shift()?.(DONE);
    await new Promise(setImmediate);
  };
  return { clock, sent, commits, session, handlers, answer };
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
