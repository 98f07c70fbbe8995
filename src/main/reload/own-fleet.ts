/** The fleet of a program that serves in one process: this process alone. */
import { createPreparation } from "../../app/preparation.ts";
import { type Fleet, NOT_READY_IN_TIME, type Prepare, PREPARE_LIMIT_MS } from "../../app/reload-control.ts";
import { type Clock, atMost } from "../../lib/clock.ts";

export const createOwnFleet = (prepare: Prepare, clock: Clock): Fleet => {
  const preparation = createPreparation(prepare);
  return {
    prepare: async (attempt) => {
      const prepared = preparation.prepare(attempt).then((fault) => ({ fault }));
      const { fault } = (await atMost(clock, PREPARE_LIMIT_MS, prepared)) ?? { fault: NOT_READY_IN_TIME };
      return fault === undefined ? [] : [fault];
    },
    swap: (attempt) => Promise.resolve(preparation.swap(attempt) ? 1 : 0),
    discard: (attempt) => {
      preparation.discard(attempt);
    },
    workers: 1,
    show: () => undefined,
  };
};
