import { dropMessage } from "./drop-message.ts";
import { progressBackOffDropMessage } from "./progress-back-off-drop-message.ts";
import { progressBackOffStopTask } from "./progress-back-off-stop-task.ts";
import { stopTask } from "./stop-task.ts";

/** The strategies by the names that `exception.strategy` takes. */
export const STRATEGIES = {
  PROGRESS_BACK_OFF_DROP_MESSAGE: progressBackOffDropMessage,
  PROGRESS_BACK_OFF_STOP_TASK: progressBackOffStopTask,
  DROP_MESSAGE: dropMessage,
  STOP_TASK: stopTask,
} as const;

export type StrategyName = keyof typeof STRATEGIES;
