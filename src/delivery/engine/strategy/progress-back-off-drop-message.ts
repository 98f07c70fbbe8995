import { retryStep, strategyOf } from "./steps.ts";
import type { Schedules, Strategy } from "./strategy.ts";

/** One attempt and one more after each wait of the schedule; then the record is dropped. */
export const progressBackOffDropMessage = (schedules: Schedules): Strategy =>
  strategyOf(schedules.down, (state) => retryStep(schedules.retry, state, "drop"));
