/** Other implementations of the formats, in Python. `.ci/run` installs them into an environment of their own. */
import { execFile } from "node:child_process";
import { homedir } from "node:os";
import path from "node:path";
import { describeWithTools } from "../tools.ts";

/** To install: `python3 -m venv <folder>`, then `<folder>/bin/pip install -r tests/support/oracles/requirements.txt`. */
const FOLDER = process.env["ORACLES"] ?? path.join(homedir(), ".cache", "stationgate-ci", "oracles");
const PYTHON = path.join(FOLDER, "bin", "python3");
const MOST = 64 * 1024 * 1024;

export const describeWithOracles = (name: string, body: () => void): void => {
  describeWithTools(name, [PYTHON], body);
};

/** Runs a script of this folder, with the cases as JSON in its input. Resolves to the JSON of its output. */
export const askOracle = (script: string, cases: readonly unknown[]): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const file = path.join(import.meta.dirname, script);
    const child = execFile(PYTHON, [file], { maxBuffer: MOST }, (error, stdout, stderr) => {
      if (error === null) resolve(JSON.parse(stdout));
      else reject(new Error(`${script} failed: ${stderr.slice(-2000)}`));
    });
    child.stdin?.end(JSON.stringify(cases));
  });
