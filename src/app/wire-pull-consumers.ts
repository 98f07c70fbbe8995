/** The members of consumer groups behind consume/batch, and what all of them together may hold. */
import { createPullConsumers, type PullConsumers } from "../consume/consume.ts";
import { consumedEvent } from "../http/handlers/stations/consume.ts";
import type { AppContext } from "./context.ts";

/** An idle member leaves its group within five seconds: another process may have a call that waits for its partitions. */
const BOUNDS = { idleMs: 4000, joinMs: 10_000, maxMembers: 1000, maxPullsPerOwner: 2000 };
/** Of `limits.memory`, for the events that are kept for readers: the garbage of reading takes three times as much. */
const SHARE = 0.25;

export const openPullConsumers = ({ broker, memory, log, clock }: AppContext): PullConsumers =>
  createPullConsumers({
    ...BOUNDS,
    broker,
    memory: memory.part(Math.floor(memory.maxBytes * SHARE)),
    toText: consumedEvent,
    clock,
    onError: (err) => {
      log.logger.warn({ err }, "consuming goes on after a fault");
    },
  });
