import { createProgress, emptyTally, ranges, summary } from "../../../../src/cli/commands/produce/report.ts";
import { fakeShell } from "../../support.ts";

it("summarises stored, refused and unconfirmed lines", () => {
  const tally = { ...emptyTally(), stored: 12_345, refused: 1 };
  expect(summary(tally, 2000)).toBe("12,345 stored, 1 refused in 2.0 s (6,173 events/s)");
  expect(summary({ ...tally, unknown: 7 }, 2000)).toContain("1 refused, 7 not confirmed in");
});

it.each([
  [[], ""],
  [[3], "3"],
  [[1, 2, 3, 7, 9, 10], "1–3, 7, 9–10"],
])("writes the lines %j as %s", (lines, text) => {
  expect(ranges(lines.map((number) => ({ number })))).toBe(text);
});

describe("progress", () => {
  it("is a line from time to time without a terminal", () => {
    const { stderr, noted } = fakeShell();
    const tally = emptyTally();
    let now = 0;
    const progress = createProgress({ stderr, tally, totalBytes: 200, elapsedMs: () => now, everyMs: 1000 });
    progress.update();
    now = 1000;
    tally.stored = 5;
    tally.bytes = 51;
    progress.update();
    now = 1500;
    progress.update();
    progress.stop();
    expect(noted()).toBe("25%: 5 stored, 0 refused in 1.0 s (5 events/s)\n");
  });

  it("is a bar at a terminal, with notes above it, and shows the cursor again at the end", () => {
    const { stderr, noted } = fakeShell();
    Object.assign(stderr, { isTTY: true, columns: 120, rows: 40 });
    const tally = { ...emptyTally(), stored: 1000, bytes: 50 };
    const progress = createProgress({ stderr, tally, totalBytes: 100, elapsedMs: () => 1000 });
    progress.note("line 3: not a JSON object");
    progress.stop();
    expect(noted()).toContain("50% | 1,000 stored, 0 refused, 1,000/s");
    expect(noted()).toContain("line 3: not a JSON object");
    expect(noted()).toContain("\u001B[?25h");
  });
});
