import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { createFifo } from "../../src/lib/fifo.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

describe("createFifo", () => {
  it("returns the items in their order", () => {
    const fifo = createFifo<number>();
    for (let item = 0; item < 5000; item += 1) fifo.push(item);
    const out = Array.from({ length: 5000 }, () => fifo.shift());

    expect(out).toStrictEqual(Array.from({ length: 5000 }, (_, item) => item));
    expect(fifo.shift()).toBeUndefined();
    expect(fifo.size).toBe(0);
  });

  it("keeps no reference to a returned item", async () => {
    const fifo = createFifo<object>();
    fifo.push({});
    fifo.push({});
    const taken = new WeakRef(fifo.shift() ?? {});
    // A WeakRef holds its object until the turn ends.
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();

    expect(taken.deref()).toBeUndefined();
    expect(fifo.size).toBe(1);
  });

  it("behaves like an array", () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.integer())), (steps) => {
        const fifo = createFifo<number>();
        const array: number[] = [];
        const views = steps.map((step) => {
          if (step !== null) {
            fifo.push(step);
            array.push(step);
          }
          const ends = step === null ? [fifo.shift(), array.shift()] : [undefined, undefined];
          return [...ends, fifo.peek(), array[0], fifo.size, array.length];
        });

        expect(views.every(([a, b, c, d, e, f]) => a === b && c === d && e === f)).toBe(true);
      }),
    );
  });
});
