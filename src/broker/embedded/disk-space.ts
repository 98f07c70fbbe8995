/** How much room the log's disk has: asked of the file system, seldom while there is plenty. */
import { open, statfs } from "node:fs/promises";
import { GatewayError } from "../../errors.ts";

export interface DiskSpaceOptions {
  readonly directory: string;
  /** Free bytes that a commit must leave on the disk. */
  readonly minFree: number;
  /** Bytes that this process may still write to the directory's disk. Default: the file system's answer. */
  readonly freeBytes?: ((directory: string) => Promise<number>) | undefined;
}

export interface DiskSpace {
  /**
   * Resolves with the bytes that are free beyond `minFree` after a commit of so many bytes. Rejects with
   * BROKER_UNAVAILABLE where the commit would leave less than `minFree`.
   */
  readonly demand: (bytes: number) => Promise<number>;
  /** Rejects with BROKER_UNAVAILABLE where a small commit has no room, or still the last one that was refused. */
  readonly check: () => Promise<void>;
}

/** Milliseconds for which an answer of the file system counts, while it leaves more than `AMPLE` bytes. */
const MAX_AGE = 100;
const AMPLE = 64 * 1024 * 1024;
const SMALL = 64 * 1024;
/** Bytes that `check` asks for at most: an ordinary append, whatever was refused. */
const MOST_CHECKED = 2 * 1024 * 1024;

/** A commit may write each of its bytes twice: LMDB copies the pages that it changes. */
const costOf = (bytes: number): number => 2 * bytes;

/** A file system that counts no blocks (some network ones) has no end that is known beforehand. */
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
  /** Bytes beyond `minFree`, less what commits have taken since the file system was asked. */
  let room = 0;
  let askedAt = -Infinity;

  /** Of the last commit that was refused; 0: there was room for it since. */
  let refusedCost = 0;

  const ask = async (): Promise<void> => {
    const asked = performance.now();
    try {
      room = (await freeBytes(directory)) - minFree;
    } catch (cause) {
      throw new GatewayError("BROKER_UNAVAILABLE", { cause });
    }
    askedAt = asked;
  };

  const requireRoom = (cost: number): void => {
    if (room >= cost) {
      if (cost >= refusedCost) refusedCost = 0;
      return;
    }
    refusedCost = Math.min(cost, MOST_CHECKED);
    const needed = `a commit needs ${mebibytes(cost)} and must leave ${mebibytes(minFree)} (broker.embedded.minFree)`;
    const cause = `the disk under ${directory} is full: ${mebibytes(room + minFree)} are free, ${needed}`;
    throw new GatewayError("BROKER_UNAVAILABLE", { cause });
  };

  return {
    demand: async (bytes) => {
      const cost = costOf(bytes);
      if (room - cost < AMPLE || performance.now() - askedAt > MAX_AGE) await ask();
      requireRoom(cost);
      room -= cost;
      return room;
    },
    check: async () => {
      await ask();
      requireRoom(Math.max(refusedCost, SMALL));
    },
  };
};

/**
 * Blocks of the disk that the log's file has before LMDB writes them. A write that fails for lack of space corrupts
 * LMDB's heap (it prints the failure into a buffer that is too short), and other programs fill disks at any moment. So the
 * file is lengthened first, by writes of our own, whose failure is only an error.
 */

interface ReserveOptions {
  readonly file: string;
  /** Bytes at the head of the file that LMDB uses, as of its last commit. */
  readonly usedBytes: () => number;
}

export interface Reserve {
  /**
   * Resolves once a commit of so many bytes fits into blocks that the file has. Takes at most `room` bytes more from the
   * disk than the commit needs. Rejects with BROKER_UNAVAILABLE. Call it only while no commit is under way.
   */
  readonly cover: (bytes: number, room: number) => Promise<void>;
  /** Gives back what lies behind so many bytes, which LMDB has used; it has closed the file. */
  readonly close: (used: number) => Promise<void>;
}

/** Pages of LMDB's trees and of its list of free pages, beside those of what is put. */
const COMMIT_OVERHEAD = 64 * 1024;
const STEP = 1024 * 1024;
const ZEROS = Buffer.alloc(256 * 1024);

export const openReserve = async ({ file, usedBytes }: ReserveOptions): Promise<Reserve> => {
  const handle = await open(file, "r+");
  /** Bytes behind LMDB's last page, less what commits may have taken since it was looked up. */
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
    cover: async (bytes, room) => {
      const needed = costOf(bytes) + COMMIT_OVERHEAD;
      if (left < needed) {
        const { size } = await handle.stat();
        left = Math.max(0, size - usedBytes());
        if (left < needed) {
          const added = needed - left + Math.max(0, Math.min(STEP, room));
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
