/** Decides which commits the free space of the log's disk allows. */
import { statfs } from "node:fs/promises";
import { GatewayError } from "../../errors.ts";
import { costOf, FOR_FREEING, type Room, STANDING } from "./reserve.ts";

export interface DiskSpaceOptions {
  readonly directory: string;
  /** Free bytes that a commit of records must leave on the disk. */
  readonly minFree: number;
  /** Resolves to the free bytes of the directory's disk. Default: asks the file system. */
  readonly freeBytes?: ((directory: string) => Promise<number>) | undefined;
  /** The bytes of pages inside the file that LMDB can write again. Default: none. */
  readonly reusableBytes?: () => number;
}

/**
 * What a commit does. On a full disk old records can still be freed. Positions can still be stored, because retention waits for
 * those of the connectors.
 */
export const PURPOSES = ["freeing", "positions", "records"] as const;

export type Purpose = (typeof PURPOSES)[number];

export interface DiskSpace {
  /** Rejects with BROKER_UNAVAILABLE if a commit of records would leave less than `minFree`, and can't use freed pages instead. */
  readonly demand: (bytes: number, purpose?: Purpose) => Promise<Room>;
  /**
   * Rejects with BROKER_UNAVAILABLE if a small commit of records, or the last refused one, doesn't fit. Otherwise resolves to its bytes
   * and its room.
   */
  readonly check: () => Promise<{ readonly bytes: number; readonly room: Room }>;
}

/** Milliseconds for which an answer of the file system is reused, if more than `AMPLE` bytes are free. */
const MAX_AGE = 100;
const AMPLE = 64 * 1024 * 1024;
const SMALL = 64 * 1024;
/** Maximum bytes that `check` requires, even if a larger commit was refused. It is the cost of an ordinary append. */
const MOST_CHECKED = 2 * 1024 * 1024;

/**
 * On a full disk records go into freed pages if the file has this number of freed bytes. Then LMDB needs no new pages, although a
 * large record needs consecutive ones. A file from which nothing was freed has fewer free pages than this.
 */
const reusableFor = (cost: number): number => 4 * cost + 1024 * 1024;

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
  reusableBytes = () => 0,
}: DiskSpaceOptions): DiskSpace => {
  /** Free bytes above `minFree` at the last answer of the file system, minus the commits since then. */
  let spare = 0;
  let askedAt = -Infinity;

  /** Cost of the last commit that would have left less than `minFree`. 0: there was none, or one of this cost left enough later. */
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

  const roomFor = (cost: number): Room => {
    if (spare >= cost) {
      if (cost >= refusedCost) refusedCost = 0;
      return { allocatable: Infinity, ahead: spare - cost, standing: STANDING };
    }
    refusedCost = Math.min(cost, MOST_CHECKED);
    // If LMDB needs new pages against expectation, they come from the standing reserve, and from one half of `minFree`.
    if (reusableBytes() >= reusableFor(cost))
      return { allocatable: Math.max(0, spare + minFree / 2), ahead: 0, standing: FOR_FREEING };
    const needed = `a commit needs ${mebibytes(cost)} and must leave ${mebibytes(minFree)} (broker.embedded.minFree)`;
    const cause = `the disk under ${directory} is full: ${mebibytes(spare + minFree)} are free, ${needed}`;
    throw new GatewayError("BROKER_UNAVAILABLE", { cause });
  };

  return {
    demand: async (bytes, purpose = "records") => {
      if (purpose !== "records")
        return { allocatable: Infinity, ahead: 0, standing: purpose === "freeing" ? 0 : FOR_FREEING };
      const cost = costOf(bytes);
      if (spare - cost < AMPLE || performance.now() - askedAt > MAX_AGE) await ask();
      const room = roomFor(cost);
      spare -= cost;
      return room;
    },
    check: async () => {
      await ask();
      const cost = Math.max(refusedCost, SMALL);
      return { bytes: cost / 2, room: roomFor(cost) };
    },
  };
};
