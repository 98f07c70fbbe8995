import fc from "fast-check";
import { createFifo } from "../../src/lib/fifo.ts";

describe("createFifo", () => {
  it("gives back what it got, in the order it got it", () => {
    const fifo = createFifo<number>();
    for (let item = 0; item < 5000; item += 1) fifo.push(item);
    const out = Array.from({ length: 5000 }, () => fifo.shift());

    expect(out).toStrictEqual(Array.from({ length: 5000 }, (_, item) => item));
    expect(fifo.shift()).toBeUndefined();
    expect(fifo.size).toBe(0);
  });

  it("behaves as an array does", () => {
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
