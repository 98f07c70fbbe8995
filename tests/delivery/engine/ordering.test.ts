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

describe("ordered queues", () => {
  it("return one item per queue at a time, and items of other queues meanwhile", () => {
    const queues = createOrderedQueues<Item>();
    const [a1, a2, b1] = [{ name: "a1" }, { name: "a2" }, { name: "b1" }];
    queues.add(a1, "a");
    queues.add(a2, "a");
    queues.add(b1, "b");

    expect([queues.take(), queues.take(), queues.take()]).toStrictEqual([a1, b1, undefined]);

    queues.putBack(a1);

    expect(queues.take()).toBe(a1);

    queues.release(a1);

    expect(queues.take()).toBe(a2);
  });

  it("return items without a key at once", () => {
    const queues = createOrderedQueues<Item>();
    queues.add({ name: "x" }, undefined);
    queues.add({ name: "y" }, undefined);

    expect([queues.take()?.name, queues.take()?.name]).toStrictEqual(["x", "y"]);
  });

  it("keep the order of each queue, in whatever order items end", () => {
    const steps = fc.array(fc.record({ queue: fc.nat(3), end: fc.nat(5) }), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (plan) => {
        const queues = createOrderedQueues<{ queue: number; index: number }>();
        const inFlight: { queue: number; index: number }[] = [];
        const taken: { queue: number; index: number }[] = [];
        const takeFree = (): void => {
          for (let item = queues.take(); item !== undefined; item = queues.take()) {
            inFlight.push(item);
            taken.push(item);
          }
        };
        for (const [index, { queue, end }] of plan.entries()) {
          queues.add({ queue, index }, String(queue));
          takeFree();
          const [ended] = inFlight.splice(end, 1);
          if (ended !== undefined) queues.release(ended);
        }
        takeFree();
        for (let item = inFlight.pop(); item !== undefined; item = inFlight.pop()) {
          queues.release(item);
          takeFree();
        }

        expect(taken).toHaveLength(plan.length);
        for (const queue of [0, 1, 2, 3]) {
          const order = taken.filter((item) => item.queue === queue).map(({ index }) => index);

          expect(order).toStrictEqual([...order].sort((one, other) => one - other));
        }
      }),
    );
  });
});

describe("the order key of a record", () => {
  const orderKeyOf = (ordering: keyof typeof ORDER_KEYS, of: ConsumedRecord): string | undefined =>
    ORDER_KEYS[ordering](of);

  it("is its partition with ordering: partition", () => {
    expect(orderKeyOf("partition", record("t", 1, "a"))).toBe(orderKeyOf("partition", record("t", 1, "b")));
    expect(orderKeyOf("partition", record("t", 1, "a"))).not.toBe(
      orderKeyOf("partition", record("t", 2, "a")),
    );
  });

  it("is its key with ordering: key, or its partition if it has no key", () => {
    expect(orderKeyOf("key", record("t", 1, "a"))).toBe(orderKeyOf("key", record("t", 1, "a")));
    expect(orderKeyOf("key", record("t", 1, "a"))).not.toBe(orderKeyOf("key", record("t", 1, "b")));
    expect(orderKeyOf("key", record("t", 1, "a"))).not.toBe(orderKeyOf("key", record("u", 1, "a")));
    expect(orderKeyOf("key", record("t", 1, null))).toBe(orderKeyOf("partition", record("t", 1, null)));
    expect(orderKeyOf("key", record("t", 1, ""))).not.toBe(orderKeyOf("key", record("t", 1, null)));
  });

  it("is undefined with ordering: none", () => {
    expect(orderKeyOf("none", record("t", 1, "a"))).toBeUndefined();
  });
});
