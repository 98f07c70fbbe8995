#!/usr/bin/env node
/**
 * Reads the results that jest wrote as JSON.
 *
 *     results.mjs files <results>            the files with a failed test, a line each
 *     results.mjs count <results> [again]    a line for each failed test, then "<passed> <failed>"
 *
 * `again` has the results of a second run of the failed files. They replace the first results of these files.
 */
import { readFileSync } from "node:fs";
import path from "node:path";

const filesIn = (file) => {
  const { testResults } = JSON.parse(readFileSync(file, "utf8"));
  return testResults.map(({ name, status, assertionResults: tests }) => {
    const [passed, failed] = ["passed", "failed"].map((kind) =>
      tests.filter((test) => test.status === kind).map((test) => test.fullName),
    );
    if (status === "failed" && failed.length === 0) failed.push("the file could not run");
    return { name: path.relative(".", name), passed, failed };
  });
};

const [, , command, ...reports] = process.argv;
const files = new Map(reports.flatMap(filesIn).map((file) => [file.name, file]));
const all = [...files.values()];

const lines =
  command === "files"
    ? all.filter(({ failed }) => failed.length > 0).map(({ name }) => name)
    : [
        ...all.flatMap(({ name, failed }) => failed.map((test) => `failed: ${name}: ${test}`)),
        ["passed", "failed"].map((kind) => all.reduce((sum, file) => sum + file[kind].length, 0)).join(" "),
      ];
process.stdout.write(lines.map((line) => `${line}\n`).join(""));
