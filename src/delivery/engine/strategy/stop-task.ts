import { strategyOf } from "./steps.ts";
import type { Schedules, Strategy } from "./strategy.ts";

/** No second attempt: the task stops at this record. */
export const stopTask = (schedules: Schedules): Strategy =>
  strategyOf(schedules.down, () => ({ action: "stop" }));
