/** The home of all groups in this process: one slot, whose log is in memory. */
import type { Decoder } from "../../src/registry/decoder.ts";
import type { Broker } from "../../src/broker/broker.ts";
import { createBatchApi, keptEvent } from "../../src/consume/batch.ts";
import { createPullConsumers } from "../../src/consume/consume.ts";
import { createReaders, type ReaderApi } from "../../src/consume/readers.ts";
import type { Home } from "../../src/home/home.ts";
import { consumedEvent } from "../../src/http/handlers/stations/consume.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { createMemoryBudget } from "../../src/lib/memory-budget.ts";

export interface LocalHome extends Pick<Home, "call"> {
  /** Ends the waiting calls and leaves the groups. */
  close(): Promise<void>;
}

/** The API of `consume/batch`. */
export const batchApi = (decoder?: Decoder): ReaderApi => {
  const texts = { decoder: () => decoder, toText: consumedEvent };
  return createBatchApi(
    createPullConsumers({
      clock: systemClock,
      idleMs: 30_000,
      maxPullsPerOwner: 100,
      maxBufferedBytes: 8 << 20,
      memory: createMemoryBudget(64 << 20),
      toEvent: keptEvent(texts),
      onError: () => undefined,
      onCommitFailed: () => undefined,
    }),
    { ...texts, answered: () => undefined },
  );
};

const SLOT = 0;

export const createLocalHome = (broker: Broker, apis: readonly ReaderApi[]): LocalHome => {
  const readers = createReaders({
    broker,
    clock: systemClock,
    sessionTimeout: 10_000,
    groupIdle: 30_000,
    maxGroups: 100,
    holds: () => true,
    isMember: () => true,
    apis,
    onError: () => undefined,
  });
  const opened = readers.open(SLOT, { put: () => Promise.resolve() }, new Map());
  return {
    call: async (_name, call) => {
      await opened;
      return readers.serve(SLOT, call);
    },
    close: () => readers.close(SLOT, "handed-over"),
  };
};
