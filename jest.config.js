import { availableParallelism } from "node:os";

// Workers inherit it: the files of one run share what belongs to the run (tests/support/kafka/shared.ts).
process.env.JEST_RUN = `${process.pid}-${Date.now()}`;

/** @type {import("jest").Config} */
export default {
  testEnvironment: "node",
  // Real processes on a machine that does something else too: the bound is against hanging, no measure of speed.
  testTimeout: 60_000,
  // Two workers keep two cores busy: with four, a run took as long, and tests of rebalances and requests ran out of their time.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  // A handle that a failed test leaves open must not hold up CI, which then could not tell what failed.
  forceExit: process.env.CI === "true",
  roots: ["<rootDir>/tests"],
  testSequencer: "<rootDir>/tests/support/sequencer.mjs",
  setupFilesAfterEnv: [
    "<rootDir>/tests/support/once-more.ts",
    "<rootDir>/tests/support/stray-connections.ts",
  ],
  extensionsToTreatAsEsm: [".ts"],
  moduleNameMapper: { "^(\\.{1,2}/.*)\\.js$": "$1" },
  transform: { "^.+\\.ts$": "<rootDir>/tests/support/transform.mjs" },
};
