/** Kafka has answered an append of events with an error that does not say whether it is stored. */
import { digestOf, eventOf, Slot, stored, TOPIC } from "./port.ts";

it("looks at once, and appends again what it does not find", () => {
  const slot = new Slot();
  slot.offer(1, [eventOf("a", { key: "k" }), eventOf("b", { key: "k" })]);
  slot.core.endKnown(TOPIC, 0, 10);
  slot.acknowledge(1);
  slot.result({ status: "unknown", isAnswered: true });
  slot.offer(2, [eventOf("c", { key: "k" }), eventOf("a", { key: "k" })]);
  expect(slot.looks).toMatchObject([{ partition: 0, from: 10 }]);
  // The events of the second call stay behind.
  expect(slot.slotAppends).toHaveLength(1);
  slot.looked(new Map());
  expect([slot.told(1), slot.told(2)]).toEqual(["waits", "waits"]);
  slot.pass(100);
  expect([slot.appends.length, slot.written]).toEqual([2, ["a", "b"]]);
  slot.result(stored(30));
  expect(slot.told(1)).toBe("stored 30,stored 31");
  slot.acknowledge(2);
  slot.result(stored(32));
  expect(slot.told(2)).toBe("stored 32,duplicate 30");
});

it("answers what the look finds", () => {
  const slot = new Slot();
  slot.offer(1, [eventOf("a")]);
  slot.core.endKnown(TOPIC, 0, 10);
  slot.acknowledge(1);
  slot.result({ status: "unknown", isAnswered: true });
  slot.looked(new Map([[digestOf("a").toString("latin1"), [25]]]));
  expect(slot.told(1)).toBe("stored 25");
  slot.pass(1000);
  expect(slot.appends).toHaveLength(1);
  slot.acknowledge(2);
  slot.offer(2, [eventOf("b")]);
  slot.acknowledge(3);
  expect(slot.written).toEqual(["b"]);
});

it("after a failed look a later one decides, and others are not held up", () => {
  const slot = new Slot();
  slot.offer(1, [eventOf("a")]);
  slot.core.endKnown(TOPIC, 0, 10);
  slot.acknowledge(1);
  slot.result({ status: "unknown", isAnswered: true });
  slot.looked(undefined);
  slot.offer(2, [eventOf("b")]);
  slot.acknowledge(2);
  expect(slot.written).toEqual(["b"]);
  slot.result(stored(20));
  slot.pass(1000);
  expect(slot.looks).toHaveLength(2);
  slot.looked(new Map());
  expect([slot.told(1), slot.told(2)]).toEqual(["unavailable", "stored 20"]);
});

it("is not appended again when the call's time is over", () => {
  const slot = new Slot();
  slot.offer(1, [eventOf("a")], 3000);
  slot.core.endKnown(TOPIC, 0, 10);
  slot.acknowledge(1);
  slot.result({ status: "unknown", isAnswered: true });
  slot.pass(3000);
  expect(slot.told(1)).toBe("unresolved");
  slot.looked(new Map());
  slot.pass(1000);
  expect([slot.appends.length, slot.slotAppends.at(-1)]).toMatchObject([1, [{ type: "gone" }]]);
  expect(slot.released).toEqual([1]);
});
