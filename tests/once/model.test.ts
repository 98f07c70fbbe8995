/** Random schedules of the state machine of a slot (`schedules.ts`). `SCHEDULES=1000000` runs more, `SEED=…` begins with that one. */
import { inPlainThread } from "../support/plain-thread.ts";
import type { Range, runSchedules } from "./schedules.ts";

const SCHEDULES = Number(process.env["SCHEDULES"] ?? 100_000);

it(`stores at most one event for an id in ${SCHEDULES} schedules`, async () => {
  const range: Range = {
    first: Number(process.env["SEED"] ?? Date.now() % 1_000_000_000),
    count: SCHEDULES,
  };
  const { failures, cpu, totals } = await inPlainThread<typeof runSchedules>(
    { module: "tests/once/schedules.ts", name: "runSchedules" },
    range,
  );
  process.stderr.write(`${SCHEDULES} schedules, ${cpu} ms of CPU, ${JSON.stringify(totals)}\n`);
  expect(failures).toEqual([]);
}, 3_600_000);
