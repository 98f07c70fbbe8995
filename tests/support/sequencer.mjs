/**
 * The order of the test files: the longest first, so that no worker is left alone with a long file at the end. `durations.json`
 * has the seconds of the files that take longer than a few seconds. `RECORD_DURATIONS=1 npm test` writes it anew.
 */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

const file = new URL("durations.json", import.meta.url);
/** Shorter files are not recorded. */
const LEAST_SECONDS = 5;
/** A file of real processes that is not recorded yet. */
const NEW_SECONDS = 20;

const nameOf = (testPath) => path.relative(process.cwd(), testPath).replaceAll(path.sep, "/");

export default class LongestFirst {
  #seconds = JSON.parse(readFileSync(file, "utf8"));

  sort(tests) {
    const secondsOf = ({ path: testPath }) => {
      const name = nameOf(testPath);
      return this.#seconds[name] ?? (name.startsWith("tests/e2e/") ? NEW_SECONDS : 0);
    };
    return [...tests].sort((one, other) => secondsOf(other) - secondsOf(one));
  }

  allFailedTests(tests) {
    return tests;
  }

  cacheResults(_tests, { testResults }) {
    if (process.env.RECORD_DURATIONS !== "1") return;
    const recorded = testResults
      .map(({ testFilePath, perfStats }) => [nameOf(testFilePath), Math.round(perfStats.runtime / 1000)])
      .filter(([, seconds]) => seconds >= LEAST_SECONDS)
      .sort(([one, seconds], [other, others]) => others - seconds || one.localeCompare(other));
    writeFileSync(file, `${JSON.stringify(Object.fromEntries(recorded), undefined, 2)}\n`);
  }
}
