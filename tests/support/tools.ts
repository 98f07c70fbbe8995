/** `describe` for tests that need installed programs. Without them they are skipped with a message. */
import { execFileSync } from "node:child_process";

const isInstalled = (program: string): boolean => {
  try {
    execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};

/** CI sets `TOOL_TESTS=required`: then the tests fail if a program is missing. */
const isRequired = process.env["TOOL_TESTS"] === "required";

export const describeWithTools = (name: string, programs: readonly string[], body: () => void): void => {
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length === 0) {
    describe(name, body);
  } else if (isRequired) {
    describe(name, () => {
      it("has its programs, as TOOL_TESTS=required says", () => {
        throw new Error(`not installed: ${missing.join(", ")}`);
      });
    });
  } else {
    process.stderr.write(`SKIPPED: ${name} (to run it install ${missing.join(", ")})\n`);
    describe.skip(`${name} [skipped: no ${missing.join(", ")}]`, body);
  }
};
