/** Checks the free space of the log's disk, and reserves disk blocks for the log's file. */
import { open, statfs } from "node:fs/promises";
import { GatewayError } from "../../errors.ts";

export interface DiskSpaceOptions {
  readonly directory: string;
  /** Free bytes that a commit must leave on the disk. */
  readonly minFree: number;
  /** Resolves to the free bytes of the directory's disk. Default: asks the file system. */
  readonly freeBytes?: ((directory: string) => Promise<number>) | undefined;
}

export interface DiskSpace {
  /**
   * Resolves to the free bytes above `minFree` after a commit of this many bytes. Rejects with BROKER_UNAVAILABLE if the
   * commit would leave less than `minFree`.
   */
  readonly demand: (bytes: number) => Promise<number>;
  /** Rejects with BROKER_UNAVAILABLE if a small commit, or the last refused commit, doesn't fit. */
  readonly check: () => Promise<void>;
}

/** Milliseconds for which an answer of the file system is reused, if more than `AMPLE` bytes are free. */
const MAX_AGE = 100;
const AMPLE = 64 * 1024 * 1024;
const SMALL = 64 * 1024;
/** Maximum bytes that `check` requires, even if a larger commit was refused. It is the cost of an ordinary append. */
const MOST_CHECKED = 2 * 1024 * 1024;

/** A commit may write each byte twice, because LMDB copies the pages that it changes. */
const costOf = (bytes: number): number => 2 * bytes;

/** Some network file systems report 0 blocks; their free space is unknown and counts as unlimited. */
const askFileSystem = async (directory: string): Promise<number> => {
  const { blocks, bavail, bsize } = await statfs(directory);
  return blocks === 0 ? Infinity : bavail * bsize;
};

const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;

export const createDiskSpace = ({
  directory,
  minFree,
  freeBytes = askFileSystem,
}: DiskSpaceOptions): DiskSpace => {
  /** Free bytes above `minFree` at the last answer of the file system, minus the commits since then. */
  let spare = 0;
  let askedAt = -Infinity;

  /** Cost of the last refused commit. 0: no commit was refused, or a commit of this cost was admitted later. */
  let refusedCost = 0;

  const ask = async (): Promise<void> => {
    const asked = performance.now();
    try {
      spare = (await freeBytes(directory)) - minFree;
    } catch (cause) {
      throw new GatewayError("BROKER_UNAVAILABLE", { cause });
    }
    askedAt = asked;
  };

  const requireSpace = (cost: number): void => {
    if (spare >= cost) {
      if (cost >= refusedCost) refusedCost = 0;
      return;
    }
    refusedCost = Math.min(cost, MOST_CHECKED);
    const needed = `a commit needs ${mebibytes(cost)} and must leave ${mebibytes(minFree)} (broker.embedded.minFree)`;
    const cause = `the disk under ${directory} is full: ${mebibytes(spare + minFree)} are free, ${needed}`;
    throw new GatewayError("BROKER_UNAVAILABLE", { cause });
  };

  return {
    demand: async (bytes) => {
      const cost = costOf(bytes);
      if (spare - cost < AMPLE || performance.now() - askedAt > MAX_AGE) await ask();
      requireSpace(cost);
      spare -= cost;
      return spare;
    },
    check: async () => {
      await ask();
      requireSpace(Math.max(refusedCost, SMALL));
    },
  };
};

/**
 * The options of a reserve. A reserve writes zeros at the end of the log's file before LMDB writes there, so that a write of
 * LMDB never needs new disk space, even if another program fills the disk. If a write of LMDB fails, LMDB corrupts its heap,
 * because it prints the error into a buffer that is too short. A failed write of the reserve is an ordinary error.
 */
interface ReserveOptions {
  readonly file: string;
  /** LMDB uses this many bytes from the start of the file, as of its last commit. */
  readonly usedBytes: () => number;
}

export interface Reserve {
  /**
   * Resolves when the file has enough disk blocks for a commit of this many bytes. Allocates at most `spare` bytes more than
   * the commit needs. Rejects with BROKER_UNAVAILABLE. Must not be called while a commit is in flight.
   */
  readonly cover: (bytes: number, spare: number) => Promise<void>;
  /** Truncates the file to the bytes that LMDB has used. LMDB must have closed the file. */
  readonly close: (used: number) => Promise<void>;
}

/** Bytes of a commit for LMDB's trees and its list of free pages. */
const COMMIT_OVERHEAD = 64 * 1024;
const STEP = 1024 * 1024;
const ZEROS = Buffer.alloc(256 * 1024);

export const openReserve = async ({ file, usedBytes }: ReserveOptions): Promise<Reserve> => {
  const handle = await open(file, "r+");
  /** Bytes after LMDB's last page at the last lookup, minus the commits since then. */
  let left = 0;

  const lengthen = async (size: number, bytes: number): Promise<void> => {
    try {
      for (let at = size; at < size + bytes;) {
        const length = Math.min(ZEROS.length, size + bytes - at);
        at += (await handle.write(ZEROS, 0, length, at)).bytesWritten;
      }
    } catch (cause) {
      await handle.truncate(size).catch(() => undefined);
      throw new GatewayError("BROKER_UNAVAILABLE", { cause });
    }
  };

  return {
    cover: async (bytes, spare) => {
      const needed = costOf(bytes) + COMMIT_OVERHEAD;
      if (left < needed) {
        const { size } = await handle.stat();
        left = Math.max(0, size - usedBytes());
        if (left < needed) {
          const added = needed - left + Math.max(0, Math.min(STEP, spare));
          await lengthen(Math.max(size, usedBytes()), added);
          left += added;
        }
      }
      left -= needed;
    },
    close: async (used) => {
      const { size } = await handle.stat();
      if (used < size) await handle.truncate(used);
      await handle.close();
    },
  };
};
