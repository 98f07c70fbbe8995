import type { Broker } from "../../src/broker/broker.ts";
import { createMemoryBroker } from "../../src/broker/memory/memory-broker.ts";
import type { ReaderSubscription } from "../../src/consume/group-reader.ts";
import type { ReadingHandlers } from "../../src/consume/topic-reading.ts";
import type { Pull } from "../../src/consume/waiting-pull.ts";
import { GatewayError } from "../../src/errors.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { record } from "../broker/conformance/tools.ts";
import { type Pulls, pullsOn, WAIT, type Wish } from "./pulls.ts";

let broker: Broker;
let clock: FakeClock;
let pulls: Pulls;

beforeEach(async () => {
  clock = createFakeClock();
  broker = createMemoryBroker({ clock });
  await broker.ensureTopic({ name: "orders", partitions: 1 });
});

const pull = (wish: Wish = {}): Promise<Pull> => pulls.pull(wish);
const texts = ({ events }: Pull): string[] => events.map(String);
const position = async (): Promise<bigint | undefined> => (await broker.committed("g", "orders"))[0]?.offset;
/** The result of a pull after its wait has passed. */
const afterWait = async (pulling: Promise<Pull>): Promise<Pull> => {
  await clock.pending(WAIT);
  await new Promise(setImmediate);
  clock.advance(WAIT);
  return pulling;
};

describe("offsets without records for readers", () => {
  const passing = async (): Promise<{ handlers?: ReadingHandlers }> => {
    const given: { handlers?: ReadingHandlers } = {};
    pulls = await pullsOn(broker, clock, {
      watch: (handlers, subscribe) => {
        given.handlers = handlers;
        return subscribe();
      },
    });
    return given;
  };
  const pass = ({ handlers }: { handlers?: ReadingHandlers }, offset: bigint): void => {
    handlers?.onPassed?.({ topic: "orders", partition: 0, offset });
  };

  it("are passed by the group's position once the answer is consumed", async () => {
    const given = await passing();
    await broker.append("orders", [record("a"), record("b")]);
    const pulled = await pull({ max: 2 });
    pass(given, 4n);
    await pulled.consume();
    expect(await position()).toBe(4n);
  });

  it("are passed by the group's position after an answer without events", async () => {
    const given = await passing();
    const pulling = pull();
    await clock.pending(WAIT);
    pass(given, 3n);
    await (await afterWait(pulling)).consume();
    expect(await position()).toBe(3n);
  });

  it("are passed by the group's position after the member has left", async () => {
    const given = await passing();
    await broker.append("orders", [record("a")]);
    await (await pull({ max: 1 })).consume();
    pass(given, 5n);
    await pulls.close();
    expect(await position()).toBe(5n);
  });
});

describe("a member without an answer of its group for a session", () => {
  let silence: number;

  beforeEach(async () => {
    silence = 0;
    pulls = await pullsOn(broker, clock, {
      watch: (_handlers, subscribe) =>
        Object.create(subscribe(), { silence: { get: () => silence } }) as ReaderSubscription,
    });
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

describe("answers that end while the slot is given up", () => {
  it("are all committed", async () => {
    let release = (): void => undefined;
    const firstCommit = new Promise<void>((resolve) => (release = resolve));
    pulls = await pullsOn(broker, clock, {
      watch: (_handlers, subscribe) => {
        const subscription = subscribe();
        const commit: ReaderSubscription["commit"] = async (positions) => {
          await firstCommit;
          await subscription.commit(positions);
        };
        return Object.create(subscription, { commit: { value: commit } }) as ReaderSubscription;
      },
    });
    await broker.append("orders", [record("a"), record("b")]);
    const [first, second] = [await pull({ max: 1 }), await pull({ max: 1 })];
    void first.consume();
    const closed = pulls.close();
    void second.consume();
    for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
    release();
    await closed;
    expect(await position()).toBe(2n);
  });
});

describe("a failed commit", () => {
  /** The codes with which the next commits fail. */
  let faults: GatewayError[];

  beforeEach(async () => {
    faults = [];
    pulls = await pullsOn(broker, clock, {
      watch: (_handlers, subscribe) => {
        const subscription = subscribe();
        const commit: ReaderSubscription["commit"] = (positions) => {
          const fault = faults.shift();
          return fault === undefined ? subscription.commit(positions) : Promise.reject(fault);
        };
        return Object.create(subscription, { commit: { value: commit } }) as ReaderSubscription;
      },
    });
    await broker.append("orders", [record("a"), record("b")]);
  });

  it("is repeated with the newest positions", async () => {
    faults.push(new GatewayError("BROKER_UNAVAILABLE"));
    const [first, second] = [await pull({ max: 1 }), await pull({ max: 1 })];
    const consumed = first.consume();
    await clock.pending(250);
    void second.consume();
    clock.advance(250);
    await consumed;
    expect(await position()).toBe(2n);
  });

  it("is not repeated if the group refuses this member", async () => {
    faults.push(new GatewayError("GROUP_REFUSED"));
    await (await pull({ max: 1 })).consume();
    expect(await position()).toBeUndefined();
  });
});
