import fc from "fast-check";
import type { ConsumedRecord } from "../../../src/broker/broker.ts";
import { createPartitionHandOut, type Taken } from "../../../src/delivery/consume/partition-hand-out.ts";

const record = (offset: number, size = 1): ConsumedRecord => ({
  topic: "t",
  partition: 0,
  offset: BigInt(offset),
  timestamp: 1,
  key: null,
  value: Buffer.alloc(size),
  headers: [],
});

const offsets = (taken: Taken | undefined): number[] =>
  taken?.records.map(({ offset }) => Number(offset)) ?? [];

it("takes by number and by bytes, and always one where there is one", () => {
  const handOut = createPartitionHandOut();
  handOut.add([record(0, 100), record(1, 5), record(2, 5), record(3, 5)]);
  expect(offsets(handOut.take(10, 10))).toEqual([0]);
  expect(offsets(handOut.take(10, 10))).toEqual([1, 2]);
  expect(handOut.free).toEqual({ count: 1, bytes: 5 });
  expect(offsets(handOut.take(0, 10))).toEqual([]);
});

it("tells a position once", () => {
  const handOut = createPartitionHandOut();
  handOut.add([record(7), record(9)]);
  handOut.take(2, 100)?.consume();
  expect(handOut.newPosition()).toBe(10n);
  expect(handOut.newPosition()).toBeUndefined();
});

it("forgets what is free, and what becomes free afterwards is still counted", () => {
  const handOut = createPartitionHandOut();
  handOut.add([record(0), record(1)]);
  const out = handOut.take(1, 100);
  handOut.clear();
  expect(handOut.take(10, 100)).toBeUndefined();
  out?.release();
  expect(handOut.free.count).toBe(1);
  expect(offsets(handOut.take(10, 100))).toEqual([0]);
});

/** A partition and the answers that its records are in, as a random course of events treats them. */
const createCourse = () => {
  const handOut = createPartitionHandOut();
  const out: Taken[] = [];
  const consumed = new Set<number>();
  let added = 0;
  let position = 0;

  const firstOpen = (): number => {
    let offset = 0;
    while (consumed.has(offset)) offset += 1;
    return offset;
  };

  return {
    add: (n: number) => {
      handOut.add(Array.from({ length: n }, () => record(added++)));
    },
    take: (n: number) => {
      const taken = handOut.take(n, 1000);
      if (taken !== undefined) out.push(taken);
    },
    release: (n: number) => {
      out.splice(n % (out.length || 1), 1)[0]?.release();
    },
    consume: (n: number) => {
      const [taken] = out.splice(n % (out.length || 1), 1);
      taken?.consume();
      for (const offset of offsets(taken)) {
        expect(consumed.has(offset)).toBe(false);
        consumed.add(offset);
      }
      position = Number(handOut.newPosition() ?? position);
      expect(position).toBe(firstOpen());
    },
    end: () => {
      for (const taken of out) taken.release();
      const rest: number[] = [];
      for (let taken = handOut.take(3, 1000); taken !== undefined; taken = handOut.take(3, 1000))
        rest.push(...offsets(taken));
      expect(rest).toEqual(rest.toSorted((a, b) => a - b));
      expect([...consumed, ...rest].toSorted((a, b) => a - b)).toEqual([...Array(added).keys()]);
    },
  };
};

it("loses nothing, and never passes over what isn't consumed", () => {
  const step = fc.tuple(fc.constantFrom("add", "take", "consume", "release"), fc.integer({ min: 1, max: 5 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const course = createCourse();
      for (const [what, n] of steps) course[what](n);
      course.end();
    }),
  );
});
