/** Random schedules of a pod that spools one topic (`schedules.ts`). `SCHEDULES=1000000` runs more, `SEED=…` one. */
import { inPlainThread } from "../support/plain-thread.ts";
import type { Range, runSchedules } from "./schedules.ts";

const SCHEDULES = Number(process.env["SCHEDULES"] ?? 30_000);

it("keeps the order of each key, loses no answered event, and stores no event twice without a reason", async () => {
  const seed = process.env["SEED"];
  const range: Range =
    seed === undefined
      ? { first: Date.now() % 1_000_000_000, count: SCHEDULES }
      : { first: Number(seed), count: 1 };
  const fault = await inPlainThread<typeof runSchedules>(
    { module: "tests/spool/schedules.ts", name: "runSchedules" },
    range,
  );
  expect(fault).toBeUndefined();
}, 600_000);
