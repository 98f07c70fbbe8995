/** How much room the log's disk has: asked of the file system, seldom while there is plenty. */
import { statfs } from "node:fs/promises";
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
export const costOf = (bytes: number): number => 2 * bytes;

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
