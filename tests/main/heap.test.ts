import { workerArguments } from "../../src/main/heap.ts";

const PROFILE = "--cpu-prof";

it("adds the size of the young generation to the arguments of this process", () => {
  expect(workerArguments({ execArgv: [PROFILE], env: {} })).toEqual([PROFILE, "--max-semi-space-size=16"]);
});

it.each([
  { execArgv: ["--max_semi_space_size=8"], env: {} },
  { execArgv: [PROFILE], env: { NODE_OPTIONS: "--max-semi-space-size=8" } },
])("keeps the size that the operator has given: %j", (start) => {
  expect(workerArguments(start)).toEqual(start.execArgv);
});
