import { strategyOf } from "./steps.ts";
import type { Schedules, Strategy } from "./strategy.ts";

/** No second attempt: the record is dropped. */
export const dropMessage = (schedules: Schedules): Strategy =>
  strategyOf(schedules.down, () => ({ action: "drop" }));
