import { createMemoryBroker } from "../../src/broker/memory/memory-broker.ts";
import type { GroupUse, ReaderGroup } from "../../src/consume/reader-group.ts";
import { createReaders, type ReaderApi, type Readers, type ReaderSlot } from "../../src/consume/readers.ts";
import type { SlotLog, SlotRecord } from "../../src/home/contract.ts";
import type { PeerAnswer } from "../../src/home/peers/peers.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";

const SLOT = 7;
const IDLE = 60_000;

/** Waits for what follows from answers inside the process. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 40; turn += 1) await new Promise(setImmediate);
};

const useOf = (kind: GroupUse["kind"], more: Partial<GroupUse> = {}): GroupUse => ({
  kind,
  owner: "account ann",
  idleSince: undefined,
  end: () => undefined,
  ...more,
});

describe("the readers' groups of a home", () => {
  let clock: FakeClock;
  let broker: ReturnType<typeof createMemoryBroker>;
  let readers: Readers;
  let log: Map<string, Buffer>;
  let opened: ReaderSlot | undefined;
  let ended: string[];

  const slotLog: SlotLog = {
    put: (records: readonly SlotRecord[]) => {
      for (const { name, value } of records)
        if (value === null) log.delete(name);
        else log.set(name, value);
      return Promise.resolve();
    },
  };

  const api: ReaderApi = {
    path: "/batch",
    opened: (slot) => {
      opened = slot;
      return Promise.resolve();
    },
    serve: ({ group, body }) => {
      group.claim(useOf((body as { kind: GroupUse["kind"] }).kind));
      return Promise.resolve({ status: 200, headers: {}, body: Buffer.alloc(0), ended: () => undefined });
    },
    closed: (_slot, reason) => {
      ended.push(reason);
      return Promise.resolve();
    },
  };

  const create = (maxGroups = 10): Readers =>
    createReaders({
      broker,
      clock,
      sessionTimeout: 10_000,
      groupIdle: IDLE,
      maxGroups,
      holds: () => true,
      isMember: () => true,
      apis: [api],
      onError: () => undefined,
    });

  const serve = (group: string, kind: GroupUse["kind"] = "batch"): Promise<PeerAnswer> =>
    readers.serve(SLOT, {
      path: "/batch",
      body: Buffer.from(JSON.stringify({ group, kind })),
      waitMs: 0,
      signal: new AbortController().signal,
    });

  const open = async (): Promise<(name: string) => ReaderGroup> => {
    await readers.open(SLOT, slotLog, log);
    const slot = opened;
    if (slot === undefined) throw new Error("the API was not told of the slot");
    return (name) => slot.group(name);
  };

  beforeEach(async () => {
    clock = createFakeClock();
    broker = createMemoryBroker({ clock });
    await broker.ensureTopic({ name: "orders", partitions: 1 });
    log = new Map();
    ended = [];
    readers = create();
  });

  afterEach(async () => {
    await readers.close(SLOT, "handed-over");
    await broker.close();
  });

  it("are read by one kind of reader at a time", async () => {
    const group = await open();
    await serve("g");
    expect(group("g").state).toBe("batch");
    await expect(serve("g", "instances")).rejects.toMatchObject({ code: "GROUP_IN_USE" });
    const { use } = group("g");
    if (use !== undefined) group("g").release(use);
    await settle();
    expect(group("g").state).toBe("free");
    await serve("g", "instances");
    await expect(serve("g")).rejects.toMatchObject({ code: "GROUP_IN_USE" });
  });

  it("are named to the next home while they have a member", async () => {
    const group = await open();
    await serve("g");
    expect(group("other").state).toBe("free");
    expect(readers.names(SLOT)).toEqual(["g"]);
  });

  it("that were prepared are left if no call comes", async () => {
    await readers.prepare(SLOT, ["g"]);
    expect(readers.groups).toBe(1);
    const group = await open();
    expect(group("g").state).toBe("prepared");
    clock.advance(IDLE);
    await settle();
    expect([group("g").state, readers.groups]).toEqual(["free", 0]);
  });

  it("that were prepared are left if the slot does not come", async () => {
    await readers.prepare(SLOT, ["g"]);
    await readers.abandon(SLOT);
    expect(readers.groups).toBe(0);
  });

  it("start where the home before has started them, until a commit", async () => {
    const append = (value: string) =>
      broker.append("orders", [{ key: null, value: Buffer.from(value), headers: [], timestamp: 1 }]);
    const subscribe = (group: ReaderGroup, seen: string[]) =>
      group.reader.subscribe(
        "orders",
        { from: "latest", maxReadBytes: 1000 },
        { onRecords: (records) => seen.push(...records.map(({ value }) => String(value))) },
      );
    await append("old");
    let group = await open();
    await serve("a/b");
    subscribe(group("a/b"), []);
    await settle();
    expect([...log].map(([name, value]) => `${name} ${String(value)}`)).toEqual(["start/a%2Fb/orders/0 1"]);
    await append("new");
    await readers.close(SLOT, "lost");
    await settle();

    readers = create();
    group = await open();
    const seen: string[] = [];
    await serve("a/b");
    const subscription = subscribe(group("a/b"), seen);
    await settle();
    expect(seen).toEqual(["new"]);
    await subscription.commit([{ topic: "orders", partition: 0, offset: 2n }]);
    await settle();
    expect(log.size).toBe(0);
  });

  it("refuse calls of a slot that this process does not hold", async () => {
    await expect(serve("g")).rejects.toMatchObject({ code: "SLOT_MOVED" });
    const group = await open();
    const claimed = group("g");
    await readers.close(SLOT, "lost");
    expect(() => {
      claimed.claim(useOf("batch"));
    }).toThrow(expect.objectContaining({ code: "SLOT_MOVED" }) as Error);
    expect(ended).toEqual(["lost"]);
  });

  it("above maxGroups end the longest idle group of the principal with the most groups", async () => {
    readers = create(3);
    const group = await open();
    const over: string[] = [];
    const claim = (name: string, owner: string, idleSince?: number): void => {
      const use = useOf("batch", {
        owner,
        idleSince,
        end: () => {
          over.push(name);
          group(name).release(use);
        },
      });
      group(name).claim(use);
    };
    claim("a", "ann", 1);
    claim("b1", "bob", 3);
    claim("b2", "bob", 2);
    claim("c", "cid");
    expect(over).toEqual(["b2"]);
    claim("d", "dan");
    expect(over).toEqual(["b2", "a"]);
    claim("e", "eve");
    expect(() => {
      claim("f", "fay");
    }).toThrow(expect.objectContaining({ code: "OVERLOADED" }) as Error);
  });
});
