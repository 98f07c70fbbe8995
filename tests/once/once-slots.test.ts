import { createHash } from "node:crypto";
import { createMemoryBroker } from "../../src/broker/memory/memory-broker.ts";
import { GatewayError } from "../../src/errors.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { createMemoryBudget } from "../../src/lib/memory-budget.ts";
import {
  bytesOfEvent,
  decodeAnswer,
  decodeCall,
  encodeAnswer,
  encodeCall,
  type OnceCall,
  type SlotAnswer,
} from "../../src/once/call-codec.ts";
import type { EnteredSlot, OnceBroker, OnceLog } from "../../src/once/once-log.ts";
import { OnceSlots, type OnceSlotsOptions } from "../../src/once/once-slots.ts";
import type { CoreEvent, CoreOutcome } from "../../src/once/slot-core/port.ts";
import { createTopicViews } from "../../src/once/topic-views.ts";

const SLOT = 0;
const SLOTS_TOPIC = "_stationgate-once";

const eventOf = (id: string, key: string | null = null): CoreEvent => ({
  id: { digest: createHash("sha256").update(id).digest().subarray(0, 16), window: 60_000, kind: "event" },
  record: {
    key: key === null ? null : Buffer.from(key),
    value: Buffer.from(id),
    headers: [{ name: "h", value: null }],
    timestamp: 5,
  },
});

const createBroker = async () => {
  const broker = createMemoryBroker({ clock: systemClock });
  await broker.ensureTopic({ name: SLOTS_TOPIC, partitions: 3, logAppendTime: true });
  await broker.ensureTopic({ name: "orders", partitions: 2 });
  return broker;
};

const gateways: Gateway[] = [];

afterEach(async () => {
  for (const gateway of gateways.splice(0)) {
    gateway.lost.abort();
    for (const slot of [SLOT, 1]) await gateway.slots.close(slot, "lost");
  }
});

/** A process that holds the slots that it has entered. */
class Gateway {
  readonly lost = new AbortController();
  readonly slots: OnceSlots;
  readonly memory = createMemoryBudget(1_000_000);
  readonly errors: GatewayError[] = [];
  fresh = true;
  #log: OnceLog | undefined;
  readonly #broker: OnceBroker;

  constructor(broker: OnceBroker, changes: Partial<OnceSlotsOptions> = {}) {
    gateways.push(this);
    this.#broker = broker;
    this.slots = new OnceSlots({
      broker,
      clock: systemClock,
      topics: createTopicViews(broker, systemClock),
      share: 1000,
      longestWindow: () => 3_600_000,
      deliveryTimeout: 50,
      requestTimeoutMs: 1000,
      batchBytes: 100_000,
      memory: this.memory,
      onError: (error) => this.errors.push(error),
      onResolved: () => undefined,
      ...changes,
    });
  }

  async enter(slot = SLOT): Promise<EnteredSlot> {
    const known = slot === SLOT ? this.#log : undefined;
    const log = known ?? this.#createLog(slot);
    if (slot === SLOT) this.#log = log;
    const entered = await log.enter();
    if (typeof entered === "string") throw new RangeError(entered);
    await this.slots.open(slot, log, entered);
    return entered;
  }

  #createLog(slot: number): OnceLog {
    return this.slots.createLog({
      broker: { ...this.#broker, append: () => Promise.reject(new GatewayError("INTERNAL")) },
      clock: systemClock,
      topic: SLOTS_TOPIC,
      slot,
      signal: this.lost.signal,
      processId: "p",
      mayFence: () => this.fresh,
      confirm: () => Promise.resolve(this.fresh),
    });
  }

  stale(): Promise<void> | undefined {
    return this.#log?.stale();
  }

  async send(request: number, events: readonly CoreEvent[], waitMs = 5000): Promise<string> {
    return this.sendTo({ topic: "orders", request, slots: [{ slot: SLOT, events }] }, waitMs);
  }

  /** The outcomes of each slot. */
  async sendTo(call: OnceCall, waitMs = 5000): Promise<string> {
    const { signal } = new AbortController();
    const answer = await this.slots.serve(SLOT, { path: "/append", body: encodeCall(call), waitMs, signal });
    return decodeAnswer(answer.body).map(textOfSlot).join(" | ");
  }
}

const textOfSlot = (answer: SlotAnswer): string => (answer === "moved" ? answer : answer.map(textOf).join());

const textOf = (outcome: CoreOutcome): string =>
  outcome.status === "stored" && outcome.isDuplicate ? "duplicate" : outcome.status;

const storedIn = async (broker: OnceBroker): Promise<readonly string[]> => {
  const read = async (partition: number) => {
    const options = { maxBytes: 1e9, maxWaitMs: 0, signal: new AbortController().signal };
    const { records } = await broker.read({ topic: "orders", partition, offset: 0n }, options);
    return records.map(({ value, headers }) => `${String(value)} ${headers.map(({ name }) => name).join()}`);
  };
  return [...(await read(0)), ...(await read(1))].sort();
};

describe("OnceSlots", () => {
  it("stores marked records once, and tells repeats", async () => {
    const broker = await createBroker();
    const gateway = new Gateway(broker);
    await gateway.enter();
    expect(await gateway.send(1, [eventOf("a"), eventOf("b", "k"), eventOf("a")])).toBe(
      "stored,stored,duplicate",
    );
    expect(await gateway.send(2, [eventOf("a"), eventOf("c")])).toBe("duplicate,stored");
    expect(await gateway.send(1, [eventOf("a")])).toBe("stored");
    const marks = ["a", "b", "c"].map((id) => `${id} h,x-stationgate-once`);
    expect(await storedIn(broker)).toEqual(marks);
    expect(gateway.memory.usedBytes).toBe(0);
  });

  it("knows the ids of the home before it, which was killed before it noted the outcomes", async () => {
    const broker = await createBroker();
    const killed = new Gateway(broker);
    await killed.enter();
    await killed.send(1, [eventOf("a"), eventOf("b")]);
    killed.lost.abort();
    const next = new Gateway(broker);
    await next.enter();
    expect(await next.send(2, [eventOf("a"), eventOf("b"), eventOf("c")])).toBe("duplicate,duplicate,stored");
  });

  it("stores an event whose home was killed after the intent", async () => {
    const broker = await createBroker();
    let isKilled = false;
    const killed = new Gateway({
      ...broker,
      appendOnce: (topic, batches, options) =>
        topic === "orders"
          ? new Promise(() => (isKilled = true))
          : broker.appendOnce(topic, batches, options),
    });
    await killed.enter();
    expect(await killed.send(1, [eventOf("a")], 20)).toBe("unresolved");
    expect(isKilled).toBe(true);
    killed.lost.abort();
    const next = new Gateway(broker);
    await next.enter();
    expect(await next.send(1, [eventOf("a")])).toBe("stored");
    expect(await storedIn(broker)).toHaveLength(1);
  });

  it("finds the event of an append whose answer was lost", async () => {
    const broker = await createBroker();
    const gateway = new Gateway({
      ...broker,
      appendOnce: async (topic, batches, options) => {
        const results = await broker.appendOnce(topic, batches, options);
        const error = new GatewayError("BROKER_AMBIGUOUS");
        return topic === "orders" ? results.map(() => ({ status: "unknown" as const, error })) : results;
      },
    });
    await gateway.enter();
    const first = gateway.send(1, [eventOf("a")]);
    const second = gateway.send(2, [eventOf("a")]);
    expect([await first, await second]).toEqual(["stored", "duplicate"]);
  });

  it("appends nothing after the fence of another process, and enters the slot again", async () => {
    const broker = await createBroker();
    const thawed = new Gateway(broker);
    await thawed.enter();
    await new Gateway(broker).enter();
    await expect(thawed.send(1, [eventOf("a")])).rejects.toMatchObject({ code: "SLOT_MOVED" });
    await thawed.stale();
    expect(await storedIn(broker)).toEqual([]);
    await thawed.enter();
    expect(await thawed.send(1, [eventOf("a")])).toBe("stored");
  });

  it("writes no event while no heartbeat is fresh", async () => {
    const broker = await createBroker();
    const gateway = new Gateway(broker);
    await gateway.enter();
    gateway.fresh = false;
    const sent = gateway.send(1, [eventOf("a")]);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(await storedIn(broker)).toEqual([]);
    gateway.fresh = true;
    expect(await sent).toBe("stored");
  });

  it("gives the slot up after the group on its way", async () => {
    const broker = await createBroker();
    const gateway = new Gateway(broker);
    await gateway.enter();
    const sent = gateway.send(1, [eventOf("a", "k")]).catch((error: unknown) => (error as GatewayError).code);
    await new Promise(setImmediate);
    await gateway.slots.close(SLOT, "handed-over");
    expect(["stored", "SLOT_MOVED"]).toContain(await sent);
    await expect(gateway.send(2, [eventOf("b")])).rejects.toMatchObject({ code: "SLOT_MOVED" });
  });

  it("reads only as far back as its share of ids goes", async () => {
    const broker = await createBroker();
    const gateway = new Gateway(broker);
    await gateway.enter();
    for (let id = 0; id < 100; id += 1) await gateway.send(id, [eventOf(`${id}`)]);
    const next = new Gateway(broker, { share: 10 });
    const { core } = await next.enter();
    expect(core.ids.size + core.openIds).toBeLessThanOrEqual(12);
    expect(await next.send(1000, [eventOf("99"), eventOf("91"), eventOf("5")])).toBe(
      "duplicate,duplicate,stored",
    );
  });

  it("serves a call for several slots, but for those that it does not hold", async () => {
    const broker = await createBroker();
    const gateway = new Gateway(broker);
    await gateway.enter();
    await gateway.enter(1);
    const call: OnceCall = {
      topic: "orders",
      request: 1,
      slots: [
        { slot: 1, events: [eventOf("a"), eventOf("b")] },
        { slot: 2, events: [eventOf("c")] },
        { slot: SLOT, events: [eventOf("d")] },
      ],
    };
    expect(await gateway.sendTo(call)).toBe("stored,stored | moved | stored");
    expect(await gateway.sendTo({ ...call, request: 2 })).toBe("duplicate,duplicate | moved | duplicate");
    expect(await storedIn(broker)).toHaveLength(3);
    expect(gateway.memory.usedBytes).toBe(0);
  });

  it("refuses a call above its memory", async () => {
    const broker = await createBroker();
    const gateway = new Gateway(broker, { memory: createMemoryBudget(10) });
    await gateway.enter();
    await expect(gateway.send(1, [eventOf("a")])).rejects.toMatchObject({ code: "OVERLOADED" });
  });

  it("does not know a missing topic", async () => {
    const broker = await createBroker();
    const gateway = new Gateway(broker);
    await gateway.enter();
    const { signal } = new AbortController();
    const slots = [{ slot: SLOT, events: [eventOf("a")] }];
    const body = encodeCall({ topic: "nowhere", request: 1, slots });
    const call = gateway.slots.serve(SLOT, { path: "/append", body, waitMs: 100, signal });
    await expect(call).rejects.toMatchObject({ code: "STATION_UNKNOWN" });
  });
});

describe("the bytes of a call", () => {
  const events: readonly CoreEvent[] = [
    eventOf("a"),
    {
      id: { ...eventOf("b").id, kind: "call", payload: Buffer.alloc(16, 1) },
      record: { key: Buffer.alloc(0), value: null, headers: [], timestamp: 1, partition: 0 },
    },
  ];
  const call: OnceCall = { topic: "orders", request: 0xffffffff, slots: [{ slot: 3, events }] };
  const callForTwo: OnceCall = { ...call, slots: [...call.slots, { slot: 5, events: [eventOf("c")] }] };

  it("come back as they were", () => {
    expect(decodeCall(encodeCall(call), 3)).toEqual(call);
    expect(decodeCall(encodeCall(callForTwo), 3)).toEqual(callForTwo);
    const outcomes: readonly CoreOutcome[] = [
      { status: "stored", partition: 1, offset: 2 ** 50, timestamp: 3, isDuplicate: true },
      { status: "refused", error: new GatewayError("RECORD_TOO_LARGE", { message: "why" }) },
      { status: "unavailable" },
      { status: "leaderless" },
      { status: "reused" },
      { status: "unresolved" },
    ];
    const answers: readonly SlotAnswer[] = [outcomes, "moved", []];
    expect(decodeAnswer(encodeAnswer(answers))).toEqual(answers);
  });

  it("name the headers of a request once, and bring those of each event", () => {
    const [shared, other] = ["a", "b"].map((name) => ({ name, value: Buffer.alloc(1000) }));
    const lists = [[shared], [shared], [shared, other], [other], []].map((list) =>
      list.filter((one) => one !== undefined),
    );
    const listed = lists.map((headers, n) => {
      const { id, record } = eventOf(`${n}`);
      return { id, record: { ...record, headers } };
    });
    const slots = [{ slot: 3, events: listed }];
    const bytes = encodeCall({ ...call, slots });
    expect(decodeCall(bytes, 3).slots).toEqual(slots);
    expect(bytes.length).toBeLessThan(4000);
    const counted = listed.map((event, n) => bytesOfEvent(event, listed[n - 1]));
    expect(counted.reduce((sum, one) => sum + one)).toBeGreaterThan(bytes.length - 50);
  });

  it("are refused if they are cut or of another version", () => {
    for (const bytes of [call, callForTwo].map(encodeCall)) {
      for (let size = 0; size < bytes.length; size += 1)
        expect(() => decodeCall(bytes.subarray(0, size), 3)).toThrow(GatewayError);
      expect(() => decodeCall(Buffer.concat([Buffer.alloc(8), bytes]), 3)).toThrow(GatewayError);
    }
  });
});
