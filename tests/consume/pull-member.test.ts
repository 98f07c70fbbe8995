import type { Broker, Subscription, SubscriptionHandlers } from "../../src/broker/broker.ts";
import { createMemoryBroker } from "../../src/broker/memory/memory-broker.ts";
import type { PullConsumers } from "../../src/consume/consume.ts";
import type { Pull } from "../../src/consume/waiting-pull.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { record } from "../broker/conformance/tools.ts";
import { pullConsumersOn, requestOf, WAIT, type Wish } from "./pulls.ts";

let broker: Broker;
let clock: FakeClock;
let consumers: PullConsumers;

beforeEach(async () => {
  broker = createMemoryBroker();
  clock = createFakeClock();
  await broker.ensureTopic({ name: "orders", partitions: 1 });
});

const pull = (wish: Wish = {}): Promise<Pull> => consumers.pull(requestOf(wish));
const texts = ({ texts: all }: Pull): string[] => all.map(String);
const position = async (): Promise<bigint | undefined> => (await broker.committed("g", "orders"))[0]?.offset;
/** The result of a pull after its wait has passed. */
const afterWait = async (pulling: Promise<Pull>): Promise<Pull> => {
  await clock.pending(WAIT);
  await new Promise(setImmediate);
  clock.advance(WAIT);
  return pulling;
};

describe("offsets without records for readers", () => {
  const passing = (): { handlers?: SubscriptionHandlers } => {
    const given: { handlers?: SubscriptionHandlers } = {};
    consumers = pullConsumersOn(
      {
        subscribe: (options, handlers) => {
          given.handlers = handlers;
          return broker.subscribe(options, handlers);
        },
      },
      clock,
    );
    return given;
  };
  const pass = ({ handlers }: { handlers?: SubscriptionHandlers }, offset: bigint): void => {
    handlers?.onPassed?.({ topic: "orders", partition: 0, offset });
  };

  it("are passed by the group's position once the answer is consumed", async () => {
    const given = passing();
    await broker.append("orders", [record("a"), record("b")]);
    const pulled = await pull({ max: 2 });
    pass(given, 4n);
    await pulled.consume();
    expect(await position()).toBe(4n);
  });

  it("are passed by the group's position after an answer without events", async () => {
    const given = passing();
    const pulling = pull();
    await clock.pending(WAIT);
    pass(given, 3n);
    await (await afterWait(pulling)).consume();
    expect(await position()).toBe(3n);
  });

  it("are passed by the group's position after the member has left", async () => {
    const given = passing();
    await broker.append("orders", [record("a")]);
    await (await pull({ max: 1 })).consume();
    pass(given, 5n);
    await consumers.close();
    expect(await position()).toBe(5n);
  });
});

describe("a member without an answer of its group for a session", () => {
  let silence: number;

  beforeEach(() => {
    silence = 0;
    consumers = pullConsumersOn(
      {
        subscribe: async (options, handlers) => {
          const subscription = await broker.subscribe(options, handlers);
          return Object.create(subscription, { silence: { get: () => silence } }) as Subscription;
        },
      },
      clock,
    );
  });

  it("returns no records until the group has answered", async () => {
    await (await afterWait(pull())).consume();
    silence = 1.1;
    await broker.append("orders", [record("a")]);
    const pulling = pull({ max: 1 });
    let ended = false;
    void pulling.then(() => {
      ended = true;
    });
    for (let turn = 0; turn < 5; turn += 1) {
      await new Promise(setImmediate);
      clock.advance(300);
    }
    expect(ended).toBe(false);
    silence = 0.1;
    clock.advance(300);
    expect(texts(await pulling)).toEqual(["a"]);
  });

  it("rejects with BROKER_UNAVAILABLE, and gives the records of the call to the next call", async () => {
    await broker.append("orders", [record("a")]);
    const pulling = pull({ max: 2 });
    await clock.pending(WAIT);
    await new Promise(setImmediate);
    silence = 1.1;
    clock.advance(WAIT);
    await expect(pulling).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
    silence = 0;
    expect(texts(await pull({ max: 1 }))).toEqual(["a"]);
  });
});
