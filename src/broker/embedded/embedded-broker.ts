/** The broker where there is no Kafka: a log on the disk of this machine, for one process. */
import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import { tryLock } from "fs-native-extensions";
import { GatewayError } from "../../errors.ts";
import { errnoOf, makeDirectory } from "../../lib/file-system.ts";
import type { Broker } from "../broker.ts";
import { createLocalBroker } from "../local/local-broker.ts";
import type { LocalStore, LocalTopic } from "../local/store.ts";
import type { DiskSpaceOptions } from "./disk-space.ts";
import { openEnvironment } from "./environment.ts";
import { type Log, openLog } from "./log.ts";

export interface EmbeddedBrokerOptions {
  /** The log's own directory; it is made when it is missing. */
  readonly dir: string;
  /** Partitions of a topic that is created without a number of its own. Default: 4. */
  readonly partitions?: number;
  /** Largest record of a topic that is created without a size of its own, in bytes. Default: 4 MiB. */
  readonly maxRecordBytes?: number;
  /** Free bytes that each commit must leave on the disk; with less, nothing is stored. Default: 8 MiB. */
  readonly minFree?: number;
  /** What the disk has free; default: the file system's answer. */
  readonly freeBytes?: (directory: string) => Promise<number>;
  /** Milliseconds after which a record that the disk has not taken is given up. Default: 10,000. */
  readonly deliveryTimeout?: number;
}

const MIB = 1024 * 1024;

/**
 * A broker whose `open` rejects with SETTINGS_INVALID where another process has the directory, or where what lies
 * there is no log of this program. "Stored" means flushed (see `environment.ts`). Nothing is ever deleted, of compacted
 * topics neither.
 */
export const createEmbeddedBroker = (options: EmbeddedBrokerOptions): Broker => {
  const { dir, partitions = 4, maxRecordBytes = 4 * MIB, deliveryTimeout = 10_000 } = options;
  const { minFree = 8 * MIB, freeBytes } = options;
  return createLocalBroker({
    kind: "embedded",
    store: createEmbeddedStore({ directory: dir, minFree, freeBytes, deliveryTimeout }),
    partitions,
    maxRecordBytes,
  });
};

/** Records on this machine's disk: what it has acknowledged survives the process and the power. */

export interface EmbeddedStoreOptions {
  readonly directory: string;
  /** Free bytes that a commit must leave on the disk. */
  readonly minFree: number;
  readonly freeBytes?: DiskSpaceOptions["freeBytes"];
  readonly deliveryTimeout: number;
}

/** A store that has its directory to itself between `open` and `close`; outside, it is unavailable. */
const createEmbeddedStore = (options: EmbeddedStoreOptions): LocalStore => {
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

/** One process at a time in a directory. */

/**
 * Takes the directory, making it where it doesn't exist; the returned function gives it back. Rejects with
 * SETTINGS_INVALID while another holder is alive, and where the directory can't be made or written. The lock is the kernel's, on an open file: it ends with its process,
 * however that ends, so there is nothing stale to clean up.
 */
const lockDirectory = async (directory: string): Promise<() => Promise<void>> => {
  const file = await openLockFile(directory);
  if (tryLock(file.fd)) return () => file.close();
  await file.close();
  throw new GatewayError("SETTINGS_INVALID", {
    message: `broker.embedded.dir: another process uses the log in ${directory}`,
  });
};

const openLockFile = async (directory: string): Promise<FileHandle> => {
  let what = "cannot be created";
  try {
    makeDirectory(directory);
    what = "cannot be written";
    return await open(path.join(directory, "owner.lock"), "a");
  } catch (cause) {
    const message = `broker.embedded.dir: ${directory} ${what} (${errnoOf(cause) ?? "unknown reason"})`;
    throw new GatewayError("SETTINGS_INVALID", { message, cause });
  }
};
