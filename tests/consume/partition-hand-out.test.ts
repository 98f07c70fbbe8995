import fc from "fast-check";
import {
  createPartitionHandOut as create,
  type KeptRecord,
  type PartitionHandOut,
  type Taken,
} from "../../src/consume/partition-hand-out.ts";

const record = (offset: number, size = 1): KeptRecord => ({
  offset: BigInt(offset),
  event: Buffer.alloc(size),
  cost: size,
});

const createPartitionHandOut = (onDropped: (cost: number) => void = () => undefined): PartitionHandOut =>
  create(onDropped);

const offsets = (taken: Taken | undefined): number[] =>
  taken?.records.map(({ offset }) => Number(offset)) ?? [];

it("takes records within both limits, but at least one free record", () => {
  const handOut = createPartitionHandOut();
  handOut.add([record(0, 100), record(1, 5), record(2, 5), record(3, 5)]);
  expect(offsets(handOut.take(10, 10))).toEqual([0]);
  expect(offsets(handOut.take(10, 10))).toEqual([1, 2]);
  expect(handOut.free).toEqual({ count: 1, bytes: 5 });
  expect(offsets(handOut.take(0, 10))).toEqual([]);
});

it("returns each new position once", () => {
  const handOut = createPartitionHandOut();
  handOut.add([record(7), record(9)]);
  handOut.take(2, 100)?.consume();
  expect(handOut.newPosition()).toBe(10n);
  expect(handOut.newPosition()).toBeUndefined();
});

describe("a passed offset", () => {
  it("is the position at once if no record is open", () => {
    const handOut = createPartitionHandOut();
    handOut.pass(3n);
    expect(handOut.newPosition()).toBe(3n);
    handOut.close();
    handOut.pass(5n);
    expect(handOut.newPosition()).toBeUndefined();
  });

  it("is the position once the free and taken records before it are consumed", () => {
    const handOut = createPartitionHandOut();
    handOut.add([record(0), record(1)]);
    handOut.pass(4n);
    const first = handOut.take(1, 100);
    const second = handOut.take(1, 100);
    handOut.pass(6n);
    handOut.pass(5n);
    second?.consume();
    expect(handOut.newPosition()).toBeUndefined();
    first?.consume();
    expect(handOut.newPosition()).toBe(6n);
  });

  it("is no position while the records before it are dropped", () => {
    const handOut = createPartitionHandOut();
    handOut.add([record(0)]);
    handOut.pass(4n);
    expect(handOut.dropTail()).toBe(0n);
    expect(handOut.newPosition()).toBeUndefined();
  });
});

it("drops free and released records after close, and still counts consumed records", () => {
  let droppedBytes = 0;
  const handOut = createPartitionHandOut((cost) => {
    droppedBytes += cost;
  });
  handOut.add([record(0), record(1), record(2), record(3)]);
  const [first, second] = [handOut.take(1, 100), handOut.take(1, 100)];
  handOut.close();
  expect([droppedBytes, handOut.free.count, handOut.take(10, 100)]).toEqual([2, 0, undefined]);
  first?.consume();
  expect(handOut.newPosition()).toBe(1n);
  second?.release();
  handOut.add([record(4)]);
  expect([droppedBytes, handOut.free.count, handOut.take(10, 100)]).toEqual([5, 0, undefined]);
});

it("drops the free records at the tail, and returns the offset to read again from", () => {
  let droppedBytes = 0;
  const handOut = createPartitionHandOut((cost) => {
    droppedBytes += cost;
  });
  expect(handOut.dropTail()).toBeUndefined();
  handOut.add([record(0), record(1), record(2), record(5)]);
  const out = handOut.take(2, 100);
  expect([handOut.dropTail(), droppedBytes, handOut.free.count]).toEqual([2n, 2, 0]);
  expect(handOut.dropTail()).toBeUndefined();
  handOut.add([record(2), record(5)]);
  out?.release();
  expect(offsets(handOut.take(10, 100))).toEqual([0, 1]);
  expect(offsets(handOut.take(10, 100))).toEqual([2, 5]);
});

it("keeps the first taken records, and makes the others free again", () => {
  const handOut = createPartitionHandOut();
  handOut.add([0, 1, 2, 3].map((offset) => record(offset)));
  const taken = handOut.take(3, 100);
  taken?.keep(1);
  expect([offsets(taken), handOut.free.count, handOut.isOut]).toEqual([[0], 3, true]);
  taken?.keep(5);
  taken?.consume();
  expect(handOut.newPosition()).toBe(1n);
  expect(offsets(handOut.take(10, 100))).toEqual([1, 2]);
  expect(offsets(handOut.take(10, 100))).toEqual([3]);
});

/** A partition and its open answers, for a random sequence of calls. */
const createSequence = () => {
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
    pass: (n: number) => {
      for (const end = added + n; added < end; added += 1) consumed.add(added);
      handOut.pass(BigInt(added));
      position = Number(handOut.newPosition() ?? position);
    },
    keep: (n: number) => {
      out.at(-1)?.keep(n);
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

it("loses no record, and never moves the position beyond an unconsumed record", () => {
  const step = fc.tuple(
    fc.constantFrom("add", "pass", "take", "keep", "consume", "release"),
    fc.integer({ min: 1, max: 5 }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const sequence = createSequence();
      for (const [call, n] of steps) sequence[call](n);
      sequence.end();
    }),
  );
});
