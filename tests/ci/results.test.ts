/** What `.ci/run` reads from jest's results: which files run once more, and the counts of its last line. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const SCRIPT = path.join(".ci", "results.mjs");

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), "results-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

type Tests = Readonly<Record<string, "passed" | "failed" | "pending">>;

/** Writes results as jest does. `failed` without tests: the file could not run. */
const written = (
  name: string,
  files: Readonly<Record<string, Tests>>,
  failed: readonly string[] = [],
): string => {
  const testResults = Object.entries(files).map(([file, tests]) => ({
    name: path.resolve(file),
    status: failed.includes(file) ? "failed" : "passed",
    assertionResults: Object.entries(tests).map(([fullName, status]) => ({ fullName, status })),
  }));
  const report = path.join(directory, name);
  writeFileSync(report, JSON.stringify({ testResults }));
  return report;
};

const results = (...args: readonly string[]): string[] =>
  execFileSync(process.execPath, [SCRIPT, ...args], { encoding: "utf8" })
    .trim()
    .split("\n");

const firstRun = (): string =>
  written(
    "first",
    {
      "tests/a.test.ts": { "a is quick": "passed", "a is slow": "failed", "a is for Windows": "pending" },
      "tests/b.test.ts": {},
      "tests/c.test.ts": { c: "passed" },
    },
    ["tests/a.test.ts", "tests/b.test.ts"],
  );

it("lists the files that failed", () => {
  expect(results("files", firstRun())).toEqual(["tests/a.test.ts", "tests/b.test.ts"]);
});

it("names what failed, and counts", () => {
  expect(results("count", firstRun())).toEqual([
    "failed: tests/a.test.ts: a is slow",
    "failed: tests/b.test.ts: the file could not run",
    "2 2",
  ]);
});

it("counts the second run of a file instead of the first one", () => {
  const again = written("again", { "tests/a.test.ts": { "a is quick": "passed", "a is slow": "passed" } });
  expect(results("count", firstRun(), again)).toEqual([
    "failed: tests/b.test.ts: the file could not run",
    "3 1",
  ]);
});
