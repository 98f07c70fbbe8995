import type { Measurement } from "../../bench/measurement.ts";
import { mediansOf, resultOf } from "../../bench/results.ts";
import { rowsNamed, type Row } from "../../bench/rows.ts";

const run = (eventsPerSecond: number, faults: readonly string[] = []): Measurement => ({
  eventsPerSecond,
  faults,
});

const row: Row = {
  name: "single",
  ratios: [{ figure: "eventsPerSecond", to: "bare", atLeast: 0.6 }],
  goals: [{ figure: "eventsPerSecond", atLeast: 100 }],
};

describe("the result of a row", () => {
  it("is the median of the rounds' own ratios, whatever slowed a round down", () => {
    const runs = new Map([
      ["single", [run(100), run(10), run(90)]],
      ["bare", [run(200), run(20), run(100)]],
    ]);

    expect(resultOf(row, runs)).toMatchObject({
      void: [],
      ratios: [{ value: 0.5, met: false }],
      goals: [{ value: 90, met: false }],
    });
  });

  it("meets a goal that it reaches exactly", () => {
    const runs = new Map([
      ["single", [run(120)]],
      ["bare", [run(200)]],
    ]);

    expect(resultOf(row, runs)).toMatchObject({ ratios: [{ met: true }], goals: [{ met: true }] });
  });

  it.each(["single", "bare"])("is void by a fault of %s, and says in which round", (name) => {
    const runs = new Map([
      ["single", [run(100), run(100, name === "single" ? ["3 error answers"] : [])]],
      ["bare", [run(100), run(100, name === "bare" ? ["3 error answers"] : [])]],
    ]);

    expect(resultOf(row, runs).void).toStrictEqual([`${name}, round 2: 3 error answers`]);
  });

  it("has no value where nothing was measured", () => {
    expect(resultOf(row, new Map())).toMatchObject({ ratios: [{ value: undefined, met: undefined }] });
  });
});

describe("medians", () => {
  it("of an even number of runs lie between the middle two", () => {
    expect(mediansOf([run(4), run(1), run(3), run(2)])).toMatchObject({ eventsPerSecond: 2.5 });
  });
});

describe("rows", () => {
  it("are found by name, and an unknown name is refused with the known ones", () => {
    expect(rowsNamed(["single-64"]).map(({ name }) => name)).toStrictEqual(["single-64"]);
    expect(() => rowsNamed(["sinlge"])).toThrow(/single-64/);
  });
});
