import fc from "fast-check";
import type { ConsumedRecord } from "../../../src/broker/broker.ts";
import { createOrderedQueues, ORDER_KEYS } from "../../../src/delivery/engine/ordering.ts";

const record = (topic: string, partition: number, key: string | null): ConsumedRecord => ({
  topic,
  partition,
  offset: 0n,
  timestamp: 0,
  key: key === null ? null : Buffer.from(key),
  value: null,
  headers: [],
});

interface Item {
  readonly name: string;
}

describe("lanes", () => {
  it("give one item of a lane at a time, and those of other lanes meanwhile", () => {
    const lanes = createOrderedQueues<Item>();
    const [a1, a2, b1] = [{ name: "a1" }, { name: "a2" }, { name: "b1" }];
    lanes.add(a1, "a");
    lanes.add(a2, "a");
    lanes.add(b1, "b");

    expect([lanes.take(), lanes.take(), lanes.take()]).toStrictEqual([a1, b1, undefined]);

    lanes.putBack(a1);

    expect(lanes.take()).toBe(a1);

    lanes.release(a1);

    expect(lanes.take()).toBe(a2);
  });

  it("don't hold back what has none", () => {
    const lanes = createOrderedQueues<Item>();
    lanes.add({ name: "x" }, undefined);
    lanes.add({ name: "y" }, undefined);

    expect([lanes.take()?.name, lanes.take()?.name]).toStrictEqual(["x", "y"]);
  });

  it("keep the order of each lane, whatever ends when", () => {
    const steps = fc.array(fc.record({ lane: fc.nat(3), end: fc.nat(5) }), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (plan) => {
        const lanes = createOrderedQueues<{ lane: number; index: number }>();
        const inHand: { lane: number; index: number }[] = [];
        const taken: { lane: number; index: number }[] = [];
        const takeAll = (): void => {
          for (let item = lanes.take(); item !== undefined; item = lanes.take()) {
            inHand.push(item);
            taken.push(item);
          }
        };
        for (const [index, { lane, end }] of plan.entries()) {
          lanes.add({ lane, index }, String(lane));
          takeAll();
          const [ended] = inHand.splice(end, 1);
          if (ended !== undefined) lanes.release(ended);
        }
        takeAll();
        for (let item = inHand.pop(); item !== undefined; item = inHand.pop()) {
          lanes.release(item);
          takeAll();
        }

        expect(taken).toHaveLength(plan.length);
        for (const lane of [0, 1, 2, 3]) {
          const order = taken.filter((item) => item.lane === lane).map(({ index }) => index);

          expect(order).toStrictEqual([...order].sort((one, other) => one - other));
        }
      }),
    );
  });
});

describe("which records share a lane", () => {
  const laneOf = (ordering: keyof typeof ORDER_KEYS, of: ConsumedRecord): string | undefined =>
    ORDER_KEYS[ordering](of);

  it("is told by partition", () => {
    expect(laneOf("partition", record("t", 1, "a"))).toBe(laneOf("partition", record("t", 1, "b")));
    expect(laneOf("partition", record("t", 1, "a"))).not.toBe(laneOf("partition", record("t", 2, "a")));
  });

  it("is told by key, and without one by partition", () => {
    expect(laneOf("key", record("t", 1, "a"))).toBe(laneOf("key", record("t", 1, "a")));
    expect(laneOf("key", record("t", 1, "a"))).not.toBe(laneOf("key", record("t", 1, "b")));
    expect(laneOf("key", record("t", 1, "a"))).not.toBe(laneOf("key", record("u", 1, "a")));
    expect(laneOf("key", record("t", 1, null))).toBe(laneOf("partition", record("t", 1, null)));
    expect(laneOf("key", record("t", 1, ""))).not.toBe(laneOf("key", record("t", 1, null)));
  });

  it("is nobody's business without an order", () => {
    expect(laneOf("none", record("t", 1, "a"))).toBeUndefined();
  });
});
