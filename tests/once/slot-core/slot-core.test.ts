import { GatewayError } from "../../../src/errors.ts";
import type { SlotRecord } from "../../../src/once/slot-records.ts";
import { DELIVERY_MS, digestOf, eventOf, OTHER, OWN, Slot, stored, TOPIC } from "./port.ts";

const payload = (byte: number): Buffer => Buffer.alloc(16, byte);

const intent = (id: string, ids = 0): SlotRecord => ({
  type: "intent",
  writer: OTHER,
  ids,
  entries: [{ ...eventOf(id).id, payload: undefined, topic: TOPIC, partition: 0, from: 4, request: 99 }],
});
const done = (id: string, record: number, offset: number): SlotRecord => ({
  type: "done",
  writer: OTHER,
  ids: 1,
  entries: [{ digest: digestOf(id), intent: record, offset }],
});
const gone = (id: string, record: number): SlotRecord => ({
  type: "gone",
  writer: OTHER,
  ids: 1,
  entries: [{ digest: digestOf(id), intent: record }],
});
const fence: SlotRecord = { type: "fence", writer: OTHER, ids: 0 };

/** A slot in which the id is done at offset 20. */
const slotWith = (id: string, changes = {}): Slot => {
  const slot = new Slot();
  slot.offer(1, [eventOf(id, changes)]);
  slot.core.endKnown(TOPIC, 0, 10);
  slot.acknowledge(1);
  slot.result(stored(20));
  return slot;
};

describe("states of an id", () => {
  it("new: appends the intent, then the event, then answers", () => {
    const slot = new Slot();
    slot.offer(1, [eventOf("a")]);
    expect(slot.slotAppends).toHaveLength(0);
    slot.core.endKnown(TOPIC, 0, 10);
    expect(slot.slotAppends[0]).toMatchObject([
      { type: "intent", entries: [{ from: 10, partition: 0, request: 1 }] },
    ]);
    expect(slot.appends).toHaveLength(0);
    slot.acknowledge(1);
    expect(slot.written).toEqual(["a"]);
    expect(slot.told(1)).toBe("waits");
    slot.result(stored(20));
    expect(slot.told(1)).toBe("stored 20");
    expect(slot.released).toEqual([1]);
  });

  it("new: asks again for an end that could not be read, until the call's time is over", () => {
    const slot = new Slot();
    slot.offer(1, [eventOf("a")]);
    slot.core.endKnown(TOPIC, 0, undefined);
    expect([slot.told(1), slot.asked]).toEqual(["waits", 1]);
    slot.pass(100);
    expect(slot.asked).toBe(2);
    slot.core.endKnown(TOPIC, 0, 10);
    slot.acknowledge(1);
    slot.result(stored(20));
    expect(slot.told(1)).toBe("stored 20");
  });

  it("done: answers duplicate; the same request is told stored for 1 min; after the window it is new", () => {
    const slot = slotWith("a", { window: 120_000 });
    slot.offer(2, [eventOf("a")]);
    slot.offer(1, [eventOf("a")]);
    expect([slot.told(2), slot.told(1)]).toEqual(["duplicate 20", "stored 20"]);
    slot.pass(60_000);
    slot.offer(1, [eventOf("a")]);
    expect(slot.told(1)).toBe("duplicate 20");
    slot.core.slotStored(2, slot.time);
    slot.pass(60_000);
    slot.offer(3, [eventOf("a")]);
    expect(slot.told(3)).toBe("waits");
  });

  it("done with another payload: refuses the whole call, also the events with new ids", () => {
    const slot = slotWith("a", { kind: "call", payload: payload(1) });
    slot.offer(2, [
      eventOf("a", { kind: "call", payload: payload(2) }),
      eventOf("b", { kind: "call", payload: payload(2) }),
    ]);
    expect(slot.told(2)).toBe("reused,reused");
    slot.offer(3, [eventOf("a", { kind: "call", payload: payload(1) })]);
    expect(slot.told(3)).toBe("duplicate 20");
  });

  it("open: waits; done makes it a duplicate", () => {
    const slot = new Slot();
    slot.offer(1, [eventOf("a")]);
    slot.offer(2, [eventOf("a")]);
    slot.offer(3, [eventOf("b"), eventOf("a")]);
    slot.core.endKnown(TOPIC, 0, 10);
    slot.acknowledge(1);
    slot.result(stored(20));
    expect([slot.told(1), slot.told(2), slot.told(3)]).toEqual([
      "stored 20",
      "duplicate 20",
      "stored 21,duplicate 20",
    ]);
  });

  it("open: gone makes it a new event", () => {
    const slot = new Slot();
    slot.offer(1, [eventOf("a")]);
    slot.offer(2, [eventOf("a")]);
    slot.core.endKnown(TOPIC, 0, 10);
    slot.acknowledge(1);
    slot.result({ status: "refused", error: new GatewayError("RECORD_TOO_LARGE") });
    expect(slot.told(1)).toBe("refused");
    expect(slot.slotAppends[1]).toMatchObject([
      { type: "gone" },
      { type: "intent", entries: [{ request: 2 }] },
    ]);
  });

  it("open with another payload: the call waits as a whole", () => {
    const slot = new Slot();
    slot.offer(1, [eventOf("a", { kind: "call", payload: payload(1) })]);
    slot.offer(2, [
      eventOf("b", { kind: "call", payload: payload(2) }),
      eventOf("a", { kind: "call", payload: payload(2) }),
    ]);
    slot.core.endKnown(TOPIC, 0, 10);
    expect(slot.slotAppends[0]).toMatchObject([{ entries: [{ request: 1 }] }]);
    slot.acknowledge(1);
    slot.result(stored(20));
    expect(slot.told(2)).toBe("reused,reused");
  });

  it("unknown: looks only after deliveryTimeout, and answers what it finds", () => {
    const slot = new Slot();
    slot.offer(1, [eventOf("a")]);
    slot.core.endKnown(TOPIC, 0, 10);
    slot.acknowledge(1);
    slot.result({ status: "unknown" });
    slot.offer(2, [eventOf("a")]);
    slot.pass(DELIVERY_MS - 1);
    expect(slot.looks).toHaveLength(0);
    slot.pass(1);
    expect(slot.looks).toMatchObject([{ partition: 0, from: 10 }]);
    slot.looked(new Map([[digestOf("a").toString("latin1"), [25]]]));
    expect([slot.told(1), slot.told(2)]).toEqual(["stored 25", "duplicate 25"]);
  });

  it("unknown: the call's time is over first", () => {
    const slot = new Slot();
    slot.offer(1, [eventOf("a")], 3000);
    slot.core.endKnown(TOPIC, 0, 10);
    slot.acknowledge(1);
    slot.result({ status: "unknown" });
    slot.pass(3000);
    expect(slot.told(1)).toBe("unresolved");
    expect(slot.released).toEqual([]);
    slot.pass(3000);
    slot.looked(new Map());
    expect(slot.released).toEqual([1]);
  });
});

describe("the steps of a group", () => {
  it("no acknowledgement of the intents: appends no event, and the ids are as before", () => {
    const slot = new Slot();
    slot.offer(1, [eventOf("a")]);
    slot.core.endKnown(TOPIC, 0, 10);
    slot.core.slotFailed(false);
    expect([slot.told(1), slot.appends.length, slot.core.openIds]).toEqual(["unavailable", 0, 0]);
  });

  it("intents that were certainly not written: tries again", () => {
    const slot = new Slot();
    slot.offer(1, [eventOf("a")]);
    slot.core.endKnown(TOPIC, 0, 10);
    slot.core.slotFailed(true);
    slot.pass(100);
    expect(slot.slotAppends).toHaveLength(2);
  });

  it("check (a): a fence of another process ends the home", () => {
    const slot = new Slot();
    slot.offer(1, [eventOf("a")]);
    slot.core.endKnown(TOPIC, 0, 10);
    slot.acknowledge(3);
    expect(slot.reads).toEqual([{ from: 1, to: 3 }]);
    expect(slot.appends).toHaveLength(0);
    slot.core.slotRead([{ offset: 1, timestamp: 0, record: fence }]);
    expect([slot.isFenced, slot.appends.length, slot.told(1)]).toEqual([true, 0, "moved"]);
  });

  it("check (a): reads records of former homes, and own late ones, and goes on", () => {
    const slot = new Slot();
    slot.offer(1, [eventOf("a")]);
    slot.core.endKnown(TOPIC, 0, 10);
    slot.acknowledge(4);
    slot.core.slotRead([
      { offset: 1, timestamp: slot.time, record: { ...intent("x"), writer: OWN } },
      { offset: 2, timestamp: slot.time, record: { ...fence, writer: OWN } },
      { offset: 3, timestamp: slot.time, record: intent("y") },
    ]);
    expect(slot.written).toEqual(["a"]);
    expect(slot.looks).toMatchObject([{ from: 4, names: new Set([digestOf("y").toString("latin1")]) }]);
  });

  it("check (b): waits until it holds again; events whose time is over are gone", () => {
    const slot = new Slot();
    slot.offer(1, [eventOf("a")], 500);
    slot.offer(2, [eventOf("b")]);
    slot.core.endKnown(TOPIC, 0, 10);
    slot.acknowledge(1);
    slot.fresh = false;
    slot.result({ status: "unsent" });
    slot.pass(1000);
    expect([slot.appends.length, slot.told(1)]).toEqual([1, "unavailable"]);
    slot.fresh = true;
    slot.pass(100);
    expect(slot.written).toEqual(["b"]);
  });

  it("appends outcomes with the next group and before its intents, or after 100 ms", () => {
    const slot = slotWith("a");
    slot.offer(2, [eventOf("b")]);
    expect(slot.slotAppends[1]).toMatchObject([
      { type: "done", entries: [{ intent: 1, offset: 20 }] },
      { type: "intent" },
    ]);
    const idle = slotWith("a");
    idle.pass(99);
    expect(idle.slotAppends).toHaveLength(1);
    idle.pass(1);
    expect(idle.slotAppends[1]).toMatchObject([{ type: "done" }]);
  });

  it("events of a partition with an append in flight stay behind", () => {
    const slot = new Slot();
    slot.offer(1, [eventOf("a")]);
    slot.core.endKnown(TOPIC, 0, 10);
    slot.acknowledge(1);
    slot.offer(2, [eventOf("b")]);
    expect(slot.slotAppends).toHaveLength(1);
    slot.result(stored(20));
    expect(slot.slotAppends).toHaveLength(2);
  });

  it("events without a key share a partition until a group takes them, and wait for no append of another group", () => {
    const slot = new Slot();
    slot.leaders = [1, undefined, 1];
    const partitions = () =>
      slot.slotAppends.map((records) =>
        records.flatMap((record) =>
          record.type === "intent" ? record.entries.map(({ partition }) => partition) : [],
        ),
      );
    slot.offer(1, [eventOf("a")]);
    slot.core.endKnown(TOPIC, 0, 10);
    slot.offer(2, [eventOf("b"), eventOf("c")]);
    slot.core.endKnown(TOPIC, 2, 10);
    slot.offer(3, [eventOf("d")]);
    slot.core.slotStored(1, slot.time);
    expect(partitions()).toEqual([[0], [2, 2, 2]]);
    slot.offer(4, [eventOf("e")]);
    slot.result(stored(20));
    slot.core.slotStored(2, slot.time);
    expect(partitions()).toEqual([[0], [2, 2, 2], [0]]);
  });

  it("events without a key go to other partitions while the end of one is not known", () => {
    const slot = new Slot();
    slot.leaders = [1, 1];
    slot.offer(1, [eventOf("a")]);
    slot.offer(2, [eventOf("b")]);
    slot.core.endKnown(TOPIC, 1, 10);
    slot.core.slotStored(1, slot.time);
    expect(slot.written).toEqual(["b"]);
  });

  it("a refused batch is halved until only the refused event is left", () => {
    const slot = new Slot();
    slot.offer(1, [eventOf("a"), eventOf("b")]);
    slot.core.endKnown(TOPIC, 0, 10);
    slot.acknowledge(1);
    slot.result({ status: "refused", error: new GatewayError("RECORD_TOO_LARGE") });
    expect(slot.written).toEqual(["a"]);
    slot.result({ status: "refused", error: new GatewayError("RECORD_TOO_LARGE") });
    expect(slot.written).toEqual(["b"]);
    slot.result(stored(11));
    expect(slot.told(1)).toBe("refused,stored 11");
  });

  it("a partition without a leader: 503 before the intent", () => {
    const slot = new Slot();
    slot.leaders = [undefined];
    slot.offer(1, [eventOf("a"), eventOf("b", { key: "k" })]);
    expect([slot.told(1), slot.slotAppends.length]).toEqual(["unavailable,unavailable", 0]);
  });
});

describe("the order of a key", () => {
  it("later events of the key wait for an event that waits", () => {
    const slot = new Slot();
    slot.offer(1, [eventOf("a", { key: "k" })]);
    slot.core.endKnown(TOPIC, 0, 10);
    slot.acknowledge(1);
    slot.offer(2, [eventOf("a", { key: "k" }), eventOf("b", { key: "k" })]);
    slot.result(stored(20));
    expect(slot.slotAppends[1]).toMatchObject([{ type: "done" }, { entries: [{ digest: digestOf("b") }] }]);
  });

  it("a later event of the key stays in its queue while the append of an earlier one is unknown", () => {
    const slot = new Slot([intent("b")]);
    slot.offer(2, [eventOf("a", { key: "k" }), eventOf("b", { key: "k" })]);
    slot.core.endKnown(TOPIC, 0, 10);
    slot.acknowledge(2);
    slot.result({ status: "unknown" });
    slot.looked(new Map());
    slot.pass(100);
    slot.core.slotStored(3, slot.time);
    expect(slot.slotAppends.map((records) => records.map(({ type }) => type).join())).toEqual([
      "intent",
      "gone",
    ]);
    slot.pass(DELIVERY_MS);
    slot.looked(new Map());
    expect(slot.told(2)).toBe("unavailable,unavailable");
  });

  it("an event without an outcome ends the later ones of its key in the request, not those of other keys", () => {
    const slot = new Slot([intent("a")]);
    slot.offer(2, [eventOf("a", { key: "k" }), eventOf("b", { key: "k" }), eventOf("c", { key: "l" })], 1000);
    slot.core.endKnown(TOPIC, 0, 10);
    expect(slot.slotAppends[0]).toMatchObject([{ entries: [{ digest: digestOf("c") }] }]);
    slot.acknowledge(2);
    slot.result(stored(20));
    slot.pass(1000);
    expect(slot.told(2)).toBe("unresolved,unresolved,stored 20");
  });
});

describe("a new home", () => {
  it("done wins over gone, in either order", () => {
    for (const ends of [
      [done("a", 0, 30), gone("a", 0)],
      [gone("a", 0), done("a", 0, 30)],
    ]) {
      const slot = new Slot([intent("a"), ...ends]);
      slot.offer(2, [eventOf("a")]);
      expect(slot.told(2)).toBe("duplicate 30");
    }
  });

  it("an end names one intent: another intent of the id stays open", () => {
    const slot = new Slot([intent("a"), intent("a", 1), gone("a", 0)]);
    expect(slot.looks).toHaveLength(1);
    slot.offer(2, [eventOf("a")]);
    slot.looked(new Map([[digestOf("a").toString("latin1"), [3, 7]]]));
    // Offset 3 is lower than the intent's event can have.
    expect(slot.told(2)).toBe("duplicate 7");
  });

  it("resolves all open ids of a partition in one pass, and serves other ids at once", () => {
    const slot = new Slot([intent("a"), intent("b", 1)]);
    expect(slot.looks).toMatchObject([
      { names: new Set(["a", "b"].map((id) => digestOf(id).toString("latin1"))) },
    ]);
    slot.offer(2, [eventOf("c")]);
    slot.core.endKnown(TOPIC, 0, 10);
    expect(slot.slotAppends[0]).toMatchObject([{ type: "intent", ids: 2 }]);
    slot.offer(3, [eventOf("a")]);
    slot.looked(undefined);
    expect(slot.told(3)).toBe("waits");
    slot.pass(1000);
    expect(slot.looks).toHaveLength(2);
  });

  it("answers 503 for an open id while its partition has no leader", () => {
    const slot = new Slot([intent("a")]);
    slot.leaders = [undefined];
    slot.offer(2, [eventOf("a")]);
    expect(slot.told(2)).toBe("leaderless");
  });

  it("does not look before an earlier append of this process can't arrive any more", () => {
    const slot = new Slot([intent("a")], 1_002_000);
    expect(slot.looks).toHaveLength(0);
    slot.core.drain();
    expect(slot.isDrained).toBe(false);
    slot.pass(2000);
    expect(slot.isDrained).toBe(true);
  });
});

describe("giving the slot up", () => {
  it("finishes the group, moves the other calls, and appends the outcomes", () => {
    const slot = new Slot();
    slot.offer(1, [eventOf("a")]);
    slot.core.endKnown(TOPIC, 0, 10);
    slot.offer(2, [eventOf("b")]);
    slot.core.drain();
    expect([slot.told(1), slot.told(2)]).toEqual(["waits", "moved"]);
    slot.acknowledge(1);
    slot.result(stored(20));
    expect([slot.told(1), slot.isDrained]).toEqual(["stored 20", false]);
    slot.pass(100);
    slot.core.slotStored(2, slot.time);
    expect(slot.isDrained).toBe(true);
    slot.offer(3, [eventOf("c")]);
    expect(slot.told(3)).toBe("moved");
  });

  it("waits until an append without an outcome can't arrive any more", () => {
    const slot = new Slot();
    slot.offer(1, [eventOf("a")]);
    slot.core.endKnown(TOPIC, 0, 10);
    slot.acknowledge(1);
    slot.result({ status: "unknown" });
    slot.core.drain();
    slot.pass(DELIVERY_MS - 1);
    expect(slot.isDrained).toBe(false);
    slot.pass(1);
    expect(slot.isDrained).toBe(true);
  });

  it("a lost slot appends nothing more, moves every call and releases its memory", () => {
    const slot = new Slot();
    slot.offer(1, [eventOf("a")]);
    slot.core.endKnown(TOPIC, 0, 10);
    slot.core.close();
    slot.core.slotStored(1, slot.time);
    expect([slot.told(1), slot.appends.length, slot.released]).toEqual(["moved", 0, [1]]);
  });
});
