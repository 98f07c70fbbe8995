/** Records on this machine's disk: what it has acknowledged survives the process and the power. */
import { GatewayError } from "../../errors.ts";
import type { LocalStore, LocalTopic } from "../local/store.ts";
import { lockDirectory } from "./directory-lock.ts";
import type { DiskSpaceOptions } from "./disk-space.ts";
import { openEnvironment } from "./environment.ts";
import { openLog, type Log } from "./log.ts";

export interface EmbeddedStoreOptions {
  readonly directory: string;
  /** Free bytes that a commit must leave on the disk. */
  readonly minFree: number;
  readonly freeBytes?: DiskSpaceOptions["freeBytes"];
  readonly deliveryTimeout: number;
}

/** A store that has its directory to itself between `open` and `close`; outside, it is unavailable. */
export const createEmbeddedStore = (options: EmbeddedStoreOptions): LocalStore => {
  const { directory, deliveryTimeout } = options;
  let log: Log | undefined;
  let unlock: (() => Promise<void>) | undefined;
  let topics: ReadonlyMap<string, LocalTopic> = new Map();

  const opened = (): Log => {
    if (log === undefined) throw new GatewayError("BROKER_UNAVAILABLE");
    return log;
  };

  return {
    open: async () => {
      unlock = await lockDirectory(directory);
      try {
        log = openLog(await openEnvironment(options), deliveryTimeout);
      } catch (error) {
        await unlock();
        throw error;
      }
      topics = log.topics();
    },
    close: async () => {
      await log?.close();
      log = undefined;
      await unlock?.();
      unlock = undefined;
    },
    topics: () => topics,
    ends: (of) => opened().ends(of),
    read: (from, limit) => opened().read(from, limit),
    positions: (group) => opened().positions(group),
    check: async () => opened().check(),
    createTopic: async (topic) => opened().createTopic(topic),
    append: async (to, records) => opened().append(to, records),
    savePositions: async (group, positions) => opened().savePositions(group, positions),
    deletePositions: async (group) => opened().deletePositions(group),
  };
};
