/** The consumer group members of consume/batch, and their memory. */
import { createPullConsumers, type PullConsumers } from "../consume/consume.ts";
import { consumedEvent } from "../http/handlers/stations/consume.ts";
import type { AppContext } from "./context.ts";

/** An idle member leaves its group within five seconds, so that members on other processes get its partitions. */
const BOUNDS = { idleMs: 4000, joinMs: 10_000, maxMembers: 1000, maxPullsPerOwner: 2000 };
/** Share of `limits.memory` for buffered events. Garbage of reading takes three times as much memory. */
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
