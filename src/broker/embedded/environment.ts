/** The LMDB environment of the log: its file, its databases, its format, and its commits. */
import { open, stat } from "node:fs/promises";
import { constants } from "node:os";
import path from "node:path";
import { GatewayError } from "../../errors.ts";
import { type Databases, logFileFault, openDatabases, type ReopenableDatabases } from "./databases.ts";
import { createDiskSpace, type DiskSpace, type DiskSpaceOptions, type Purpose } from "./disk-space.ts";
import { openReserve, type Reserve } from "./reserve.ts";

const { errno } = constants;

/** The format of the databases. Raise it with each incompatible change. */
const FORMAT = 1;

/** Bytes that a small change writes. */
export const PAGE_BYTES = 4096;

export interface Environment {
  /** The current databases. They change when the log is reopened, and throw BROKER_UNAVAILABLE while that fails. */
  readonly databases: Databases;
  /** Resolves when a commit of this many bytes may begin, otherwise rejects with BROKER_UNAVAILABLE. */
  readonly admit: (bytes: number, purpose: Purpose) => Promise<void>;
  /** Rejects with BROKER_UNAVAILABLE if the disk has no space for another commit of records. */
  readonly checkSpace: () => Promise<void>;
  /**
   * Runs the puts and removes of `stage` in one transaction, and resolves when it is on the disk. Rejects with
   * BROKER_AMBIGUOUS, or with BROKER_UNAVAILABLE if certainly nothing was stored.
   */
  readonly commit: (stage: () => void) => Promise<void>;
  /** `callback` is called after each reopening of the log. The log may then contain a commit that failed before. */
  readonly onReopened: (callback: () => void) => void;
  readonly close: () => Promise<void>;
}

const invalid = (directory: string, fault: string, cause?: unknown): GatewayError =>
  new GatewayError("SETTINGS_INVALID", {
    message: `broker.embedded.dir: the log in ${directory} ${fault}`,
    cause,
  });

/** Errors of a write that comes before the write of the meta page. LMDB ignores new data pages until the meta page is written. */
const NOTHING_STORED: readonly unknown[] = [errno.ENOSPC, errno.EDQUOT, errno.EFBIG];

/** lmdb's error contains a promise that rejects with the actual error; that rejection must be handled. */
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
    await admit(PAGE_BYTES, "records");
    await commit(() => void databases.meta.put("format", FORMAT));
  } else if (format > FORMAT) {
    throw invalid(directory, "was written by a newer version");
  }
};

/** After some faults LMDB refuses all work until its file is reopened; `admit` and `commit` do that. */
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
    admit: async (bytes, purpose) => {
      if (!databases.isOpen) {
        await reopen().catch((cause: unknown) => {
          throw new GatewayError("BROKER_UNAVAILABLE", { cause });
        });
      }
      await reserve.cover(bytes, await space.demand(bytes, purpose));
    },
    checkSpace: async () => {
      const { bytes, room } = await space.check();
      await reserve.check(bytes, room);
    },
    commit: async (stage) => {
      try {
        await databases.batch(stage);
      } catch (error) {
        if (error instanceof GatewayError) throw error;
        const failure = await commitFailure(error);
        // If the reopening fails, the next commit tries again.
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
    throw invalid(directory, "cannot be opened", error);
  }
};

/** Bytes that LMDB writes for the databases of a new log. No reserve exists yet when it writes them. */
const NEW_LOG_BYTES = 16 * PAGE_BYTES;

/** Requires free space only for a new log: an existing log can be read on a full disk. */
const prepareFiles = async (file: string, space: DiskSpace): Promise<void> => {
  await fillLockFile(`${file}-lock`);
  const { size } = await stat(file);
  if (size === 0) await space.demand(NEW_LOG_BYTES);
};

/**
 * Opens the log in a directory that only this process uses, and creates missing files. Rejects with SETTINGS_INVALID if
 * the file is not a log, is truncated, or has a newer format, or if the disk has no space to open it.
 */
export const openEnvironment = async (options: DiskSpaceOptions): Promise<Environment> => {
  const { directory } = options;
  const file = path.join(directory, "log.lmdb");
  const fault = await logFileFault(file);
  if (fault !== undefined) throw invalid(directory, fault);
  const asOpenError = (error: unknown): GatewayError =>
    error instanceof GatewayError && error.code === "SETTINGS_INVALID"
      ? error
      : invalid(directory, "has no space on its disk", error);
  await prepareFiles(file, createDiskSpace(options)).catch((error: unknown) => {
    throw asOpenError(error);
  });
  const databases = openIn(directory, file);
  const space = createDiskSpace({ ...options, reusableBytes: databases.reusableBytes });
  const reserve = await openReserve({ file, usedBytes: databases.usedBytes });
  const environment = createEnvironment(databases, space, reserve);
  try {
    await settleFormat(directory, environment);
  } catch (error) {
    await environment.close();
    throw asOpenError(error);
  }
  return environment;
};

/** Bytes of the lock file, LMDB's table of readers. For 126 readers LMDB needs a little more than two pages. */
const BYTES = 4 * 4096;
const BLOCK = 512;

/**
 * Allocates the disk blocks of LMDB's lock file before LMDB maps it. If the file had holes and the disk were full, the first
 * reader would end the process with a signal. Only this process may use the directory. Rejects if the disk is full.
 */
const fillLockFile = async (path: string): Promise<void> => {
  const file = await open(path, "a+", 0o600);
  try {
    const { size, blocks } = await file.stat();
    if (blocks * BLOCK >= BYTES) return;
    // The file is open for appending, so its content is removed first. No other process has it open.
    if (size > 0) await file.truncate(0);
    await file.write(Buffer.alloc(BYTES));
  } finally {
    await file.close();
  }
};
