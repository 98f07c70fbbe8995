/** A broker without Kafka: a log on this machine's disk, used by one process. */
import { GatewayError } from "../../errors.ts";
import { type Clock, systemClock } from "../../lib/clock.ts";
import { lockDirectory } from "../../lib/directory-lock.ts";
import type { Broker } from "../broker.ts";
import { createLocalBroker } from "../local/local-broker.ts";
import type { LocalStore, LocalTopic } from "../local/store.ts";
import type { DiskSpaceOptions } from "./disk-space.ts";
import { openEnvironment } from "./environment.ts";
import { type Log, openLog } from "./log.ts";
import { type Retention, type RetentionOptions, startRetention } from "./retention.ts";

export interface EmbeddedBrokerOptions {
  /** The log's directory; created if missing. */
  readonly dir: string;
  /** Partitions of a topic that is created without a number of partitions. Default: 4. */
  readonly partitions?: number;
  /** Maximum record size in bytes of a topic that is created without one. Default: 4 MiB. */
  readonly maxRecordBytes?: () => number;
  /** Free bytes that each commit must leave on the disk; otherwise it is refused. Default: 8 MiB. */
  readonly minFree?: number;
  /** Resolves to the free bytes of the disk. Default: asks the file system. */
  readonly freeBytes?: (directory: string) => Promise<number>;
  /** Milliseconds after which an append to a hanging disk fails. Default: 10,000. */
  readonly deliveryTimeout?: number;
  /** Default: all records stay. */
  readonly retention?: RetentionOptions;
  /** Default: the system's clock. */
  readonly clock?: Clock;
}

const MIB = 1024 * 1024;

/**
 * `open` rejects with SETTINGS_INVALID if another process uses the directory, or if the directory holds another kind of
 * file. "Stored" means flushed to the disk (see `environment.ts`). Only retention deletes records; compacted topics keep them all.
 */
export const createEmbeddedBroker = (options: EmbeddedBrokerOptions): Broker => {
  const { dir, partitions = 4, maxRecordBytes = () => 4 * MIB, deliveryTimeout = 10_000 } = options;
  const { minFree = 8 * MIB, freeBytes, retention, clock = systemClock } = options;
  const store = { directory: dir, minFree, freeBytes, deliveryTimeout, retention, clock };
  return createLocalBroker({
    kind: "embedded",
    store: createEmbeddedStore(store),
    ...{ partitions, maxRecordBytes, clock },
  });
};

export interface EmbeddedStoreOptions {
  readonly directory: string;
  /** Free bytes that a commit must leave on the disk. */
  readonly minFree: number;
  readonly freeBytes?: DiskSpaceOptions["freeBytes"];
  readonly deliveryTimeout: number;
  readonly retention: RetentionOptions | undefined;
  readonly clock: Clock;
}

/**
 * A store on this machine's disk. Stored records survive a crash of the process and a power failure. The store locks its
 * directory from `open` to `close`. At other times its methods throw BROKER_UNAVAILABLE.
 */
const createEmbeddedStore = (options: EmbeddedStoreOptions): LocalStore => {
  const { directory, deliveryTimeout, clock } = options;
  let log: Log | undefined;
  let retention: Retention | undefined;
  let unlock: (() => Promise<void>) | undefined;
  let topics: ReadonlyMap<string, LocalTopic> = new Map();
  const retentions = new Map<string, number>();

  const opened = (): Log => {
    if (log === undefined) throw new GatewayError("BROKER_UNAVAILABLE");
    return log;
  };

  return {
    open: async () => {
      unlock = await lock(directory);
      try {
        log = openLog(await openEnvironment(options), deliveryTimeout);
      } catch (error) {
        await unlock();
        throw error;
      }
      topics = log.topics();
      if (options.retention !== undefined)
        retention = startRetention(log, clock, {
          ...options.retention,
          retentionOf: (topic) => retentions.get(topic),
        });
    },
    close: async () => {
      await retention?.stop();
      await log?.close();
      log = undefined;
      await unlock?.();
      unlock = undefined;
      retentions.clear();
    },
    topics: () => topics,
    ends: (of) => opened().ends(of),
    read: (from, limit) => opened().read(from, limit),
    positions: (group) => opened().positions(group),
    check: async () => opened().check(),
    createTopic: async (topic) => opened().createTopic(topic),
    retain: (topic, retentionMs) => {
      retentions.set(topic, Math.max(retentionMs, retentions.get(topic) ?? 0));
    },
    append: async (to, records) => opened().append(to, records),
    savePositions: async (group, positions) => opened().savePositions(group, positions),
    deletePositions: async (group) => opened().deletePositions(group),
  };
};

/** Rejects with SETTINGS_INVALID if another process holds the lock, or if the directory can't be created or written. */
const lock = async (directory: string): Promise<() => Promise<void>> => {
  const result = await lockDirectory(directory);
  if (result.status === "locked") return result.unlock;
  const message =
    result.status === "in use"
      ? `another process uses the log in ${directory}`
      : `${directory} ${result.fault}`;
  const cause = result.status === "unusable" ? result.cause : undefined;
  throw new GatewayError("SETTINGS_INVALID", { message: `broker.embedded.dir: ${message}`, cause });
};
