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
  it("is the median of the ratios of the rounds, so that a slow round has no effect", () => {
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

  it("meets a goal with exactly its value", () => {
    const runs = new Map([
      ["single", [run(120)]],
      ["bare", [run(200)]],
    ]);

    expect(resultOf(row, runs)).toMatchObject({ ratios: [{ met: true }], goals: [{ met: true }] });
  });

  it.each(["single", "bare"])("is void after a fault of %s, and names the round", (name) => {
    const runs = new Map([
      ["single", [run(100), run(100, name === "single" ? ["3 error answers"] : [])]],
      ["bare", [run(100), run(100, name === "bare" ? ["3 error answers"] : [])]],
    ]);

    expect(resultOf(row, runs).void).toStrictEqual([`${name}, round 2: 3 error answers`]);
  });

  it("has no value without measurements", () => {
    expect(resultOf(row, new Map())).toMatchObject({ ratios: [{ value: undefined, met: undefined }] });
  });
});

describe("medians", () => {
  it("of an even number of runs are the mean of the middle two", () => {
    expect(mediansOf([run(4), run(1), run(3), run(2)])).toMatchObject({ eventsPerSecond: 2.5 });
  });
});

describe("rows", () => {
  it("are found by name; the error for an unknown name lists the known names", () => {
    expect(rowsNamed(["single-64"]).map(({ name }) => name)).toStrictEqual(["single-64"]);
    expect(() => rowsNamed(["sinlge"])).toThrow(/single-64/);
  });
});
