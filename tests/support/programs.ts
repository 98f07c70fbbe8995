/** `describe` for tests that need a program of the system: they run where it is, and say so where it isn't. */
import { spawnSync } from "node:child_process";

export const describeWithProgram = (program: string, suite: () => void): void => {
  const { error } = spawnSync(program, ["--version"]);
  if (error === undefined) {
    describe(`with ${program}`, suite);
    return;
  }
  process.stderr.write(`SKIPPED, no ${program}: install it to run these tests\n`);
  describe.skip(`with ${program} [skipped: not installed]`, suite);
};
