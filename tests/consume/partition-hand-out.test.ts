import fc from "fast-check";
import {
  createPartitionHandOut as create,
  type KeptRecord,
  type PartitionHandOut,
  type Taken,
} from "../../src/consume/partition-hand-out.ts";

const record = (offset: number, size = 1): KeptRecord => ({
  offset: BigInt(offset),
  text: Buffer.alloc(size),
  cost: size,
});

const createPartitionHandOut = (forgotten: (cost: number) => void = () => undefined): PartitionHandOut =>
  create(forgotten);

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

describe("an offset that is passed", () => {
  it("is the position at once where nothing else is open", () => {
    const handOut = createPartitionHandOut();
    handOut.pass(3n);
    expect(handOut.newPosition()).toBe(3n);
    handOut.close();
    handOut.pass(5n);
    expect(handOut.newPosition()).toBeUndefined();
  });

  it("is the position once the records before it are consumed, whether they were free or out", () => {
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

  it("is passed again after the records before it were forgotten and read again", () => {
    const handOut = createPartitionHandOut();
    handOut.add([record(0)]);
    handOut.pass(4n);
    expect(handOut.dropTail()).toBe(0n);
    expect(handOut.newPosition()).toBeUndefined();
  });
});

it("forgets at its end what is free or becomes free, and still counts what is consumed", () => {
  let forgotten = 0;
  const handOut = createPartitionHandOut((cost) => {
    forgotten += cost;
  });
  handOut.add([record(0), record(1), record(2), record(3)]);
  const [first, second] = [handOut.take(1, 100), handOut.take(1, 100)];
  handOut.close();
  expect([forgotten, handOut.free.count, handOut.take(10, 100)]).toEqual([2, 0, undefined]);
  first?.consume();
  expect(handOut.newPosition()).toBe(1n);
  second?.release();
  handOut.add([record(4)]);
  expect([forgotten, handOut.free.count, handOut.take(10, 100)]).toEqual([5, 0, undefined]);
});

it("forgets what is free behind all others, and tells from where it is to be read again", () => {
  let forgotten = 0;
  const handOut = createPartitionHandOut((cost) => {
    forgotten += cost;
  });
  expect(handOut.dropTail()).toBeUndefined();
  handOut.add([record(0), record(1), record(2), record(5)]);
  const out = handOut.take(2, 100);
  expect([handOut.dropTail(), forgotten, handOut.free.count]).toEqual([2n, 2, 0]);
  expect(handOut.dropTail()).toBeUndefined();
  handOut.add([record(2), record(5)]);
  out?.release();
  expect(offsets(handOut.take(10, 100))).toEqual([0, 1]);
  expect(offsets(handOut.take(10, 100))).toEqual([2, 5]);
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
    pass: (n: number) => {
      for (const end = added + n; added < end; added += 1) consumed.add(added);
      handOut.pass(BigInt(added));
      position = Number(handOut.newPosition() ?? position);
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
  const step = fc.tuple(
    fc.constantFrom("add", "pass", "take", "consume", "release"),
    fc.integer({ min: 1, max: 5 }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const course = createCourse();
      for (const [what, n] of steps) course[what](n);
      course.end();
    }),
  );
});
