/** The LMDB environment of the log: its file, its databases, its format, and what a commit promises. */
import { open, stat } from "node:fs/promises";
import { constants } from "node:os";
import path from "node:path";
import { GatewayError } from "../../errors.ts";
import { type Databases, logFileFault, openDatabases, type ReopenableDatabases } from "./databases.ts";
import {
  createDiskSpace,
  type DiskSpace,
  type DiskSpaceOptions,
  openReserve,
  type Reserve,
} from "./disk-space.ts";

const { errno } = constants;

/** Raised whenever what lies in the databases changes its meaning. */
const FORMAT = 1;

/** What a small change writes. */
export const PAGE_BYTES = 4096;

export interface Environment {
  /** Each throws BROKER_UNAVAILABLE while the log can't be opened again after a fault; then they are others. */
  readonly databases: Databases;
  /** Resolves when a commit of so many bytes may begin, else rejects with BROKER_UNAVAILABLE. */
  readonly admit: (bytes: number) => Promise<void>;
  /** Rejects with BROKER_UNAVAILABLE where the disk has no room for another commit. */
  readonly checkRoom: () => Promise<void>;
  /**
   * Runs `stage`, whose puts and removes are one transaction, and resolves once it is on the disk. Rejects with
   * BROKER_AMBIGUOUS, or with BROKER_UNAVAILABLE where it is certain that nothing was stored.
   */
  readonly commit: (stage: () => void) => Promise<void>;
  /** Calls back whenever the log was opened again after a fault: a commit that failed may be in it all the same. */
  readonly onReopened: (callback: () => void) => void;
  readonly close: () => Promise<void>;
}

const invalid = (directory: string, fault: string, cause?: unknown): GatewayError =>
  new GatewayError("SETTINGS_INVALID", { message: `broker.embedded.dir: ${fault}: ${directory}`, cause });

/** Errors of a write that cannot have reached the meta page, without which the new pages don't count. */
const NOTHING_STORED: readonly unknown[] = [errno.ENOSPC, errno.EDQUOT, errno.EFBIG];

/** lmdb rejects with an error that carries a promise of the real one, which must not be left unhandled. */
const commitFailure = async (error: unknown): Promise<GatewayError> => {
  const { commitError } = error as { commitError?: Promise<never> };
  const cause: unknown = await commitError?.catch((reason: unknown) => reason);
  const { code } = (cause ?? {}) as { code?: unknown };
  return new GatewayError(NOTHING_STORED.includes(code) ? "BROKER_UNAVAILABLE" : "BROKER_AMBIGUOUS", {
    cause: cause ?? error,
  });
};

const settleFormat = async (directory: string, { databases, admit, commit }: Environment): Promise<void> => {
  const format = databases.meta.get("format");
  if (format === undefined) {
    await admit(PAGE_BYTES);
    await commit(() => void databases.meta.put("format", FORMAT));
  } else if (format > FORMAT) {
    throw invalid(directory, "the log there was written by a newer version");
  }
};

/** Admission and commits over open databases. LMDB refuses all work after some faults, until its file is opened again. */
const createEnvironment = (
  databases: ReopenableDatabases,
  space: DiskSpace,
  reserve: Reserve,
): Environment => {
  let reopened = (): void => undefined;

  const reopen = async (): Promise<void> => {
    await databases.reopen();
    reopened();
  };

  return {
    databases,
    admit: async (bytes) => {
      if (!databases.isOpen) {
        await reopen().catch((cause: unknown) => {
          throw new GatewayError("BROKER_UNAVAILABLE", { cause });
        });
      }
      await reserve.cover(bytes, await space.demand(bytes));
    },
    checkRoom: space.check,
    commit: async (stage) => {
      try {
        await databases.batch(stage);
      } catch (error) {
        if (error instanceof GatewayError) throw error;
        const failure = await commitFailure(error);
        // Where that fails, the next commit tries again.
        await reopen().catch(() => undefined);
        throw failure;
      }
    },
    onReopened: (callback) => {
      reopened = callback;
    },
    close: async () => {
      const used = databases.isOpen ? databases.usedBytes() : Infinity;
      await databases.close();
      await reserve.close(used);
    },
  };
};

const openIn = (directory: string, file: string): ReopenableDatabases => {
  try {
    return openDatabases(file);
  } catch (error) {
    throw invalid(directory, "the log there cannot be opened", error);
  }
};

/** LMDB makes the databases of a new log before anything can be reserved. */
const NEW_LOG_BYTES = 16 * PAGE_BYTES;

/** A new log needs room; one that is there already can at least be read. */
const prepareFiles = async (file: string, space: DiskSpace): Promise<void> => {
  await fillLockFile(`${file}-lock`);
  const { size } = await stat(file);
  if (size === 0) await space.demand(NEW_LOG_BYTES);
};

/**
 * Opens the log in a directory that is this process's alone, making what is missing. Rejects with SETTINGS_INVALID
 * where the file is no log, is cut short, or is of a later format, and where the disk has no room to open it.
 */
export const openEnvironment = async (options: DiskSpaceOptions): Promise<Environment> => {
  const { directory } = options;
  const file = path.join(directory, "log.lmdb");
  const fault = await logFileFault(file);
  if (fault !== undefined) throw invalid(directory, fault);
  const space = createDiskSpace(options);
  const noRoom = (error: unknown): GatewayError =>
    error instanceof GatewayError && error.code === "SETTINGS_INVALID"
      ? error
      : invalid(directory, "the disk has no room for the log", error);
  await prepareFiles(file, space).catch((error: unknown) => {
    throw noRoom(error);
  });
  const databases = openIn(directory, file);
  const reserve = await openReserve({ file, usedBytes: databases.usedBytes });
  const environment = createEnvironment(databases, space, reserve);
  try {
    await settleFormat(directory, environment);
  } catch (error) {
    await environment.close();
    throw noRoom(error);
  }
  return environment;
};

/** LMDB's table of readers, a file beside the log. */

/** What LMDB makes it for 126 readers is a little more than two pages. */
const BYTES = 4 * 4096;
const BLOCK = 512;

/**
 * Gives the file its blocks on the disk before LMDB maps it: in a file with holes the first reader on a full disk would end
 * the process by a signal. The directory must be this process's alone. Rejects where the disk has no room.
 */
const fillLockFile = async (path: string): Promise<void> => {
  const file = await open(path, "a+", 0o600);
  try {
    const { size, blocks } = await file.stat();
    if (blocks * BLOCK >= BYTES) return;
    // Opened to append, so what is there is cut off first: nobody else has the table open.
    if (size > 0) await file.truncate(0);
    await file.write(Buffer.alloc(BYTES));
  } finally {
    await file.close();
  }
};
