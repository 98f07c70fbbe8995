/**
 * Disk blocks at the end of the log's file. A reserve writes zeros there before LMDB writes, so that a write of LMDB never needs
 * new disk space, even if another program fills the disk. If a write of LMDB fails, LMDB corrupts its heap, because it prints the
 * error into a buffer that is too short. A failed write of the reserve is an ordinary error.
 *
 * A part of the reserve is standing: records never use it, so that old records can be freed on a full disk. LMDB writes the changed
 * pages of a commit to other pages, so a commit that frees records needs space too. LMDB then writes new records into the freed pages.
 */
import { open } from "node:fs/promises";
import { GatewayError } from "../../errors.ts";

interface ReserveOptions {
  readonly file: string;
  /** LMDB uses this many bytes from the start of the file, as of its last commit. */
  readonly usedBytes: () => number;
}

/** What the reserve may do for a commit. */
export interface Room {
  /** Maximum bytes that it allocates, because the commit needs them. */
  readonly allocatable: number;
  /** Maximum bytes that it allocates beyond them. */
  readonly ahead: number;
  /** Bytes of the reserve that the commit must leave. */
  readonly standing: number;
}

export interface Reserve {
  /**
   * Resolves when the file has enough disk blocks for a commit of this many bytes. Rejects with BROKER_UNAVAILABLE. Must not be called
   * while a commit is in flight.
   */
  readonly cover: (bytes: number, room: Room) => Promise<void>;
  /** Rejects with BROKER_UNAVAILABLE if `cover` would need more bytes of the disk than the room has. Allocates nothing. */
  readonly check: (bytes: number, room: Room) => Promise<void>;
  /** Truncates the file to the bytes that LMDB has used, and the standing reserve. LMDB must have closed the file. */
  readonly close: (used: number) => Promise<void>;
}

/** Bytes of a commit for LMDB's trees and its list of free pages. */
const COMMIT_OVERHEAD = 64 * 1024;
/** Bytes that are allocated ahead, so that not each commit has to lengthen the file. */
const STEP = 1024 * 1024;
const ZEROS = Buffer.alloc(256 * 1024);

/** A commit may write each byte twice, because LMDB copies the pages that it changes. */
export const costOf = (bytes: number): number => 2 * bytes;

/** Bytes of the standing reserve. */
export const STANDING = 2 * 1024 * 1024;
/** The part of the standing reserve that only commits that free records use. */
export const FOR_FREEING = 512 * 1024;

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

  /** The bytes to allocate for a commit, at the end of a file of this size. Rejects if they are more than the room allows. */
  const missing = async (needed: number, { allocatable }: Room) => {
    const { size } = await handle.stat();
    const used = usedBytes();
    left = Math.max(0, size - used);
    const bytes = Math.max(0, needed - left);
    if (bytes <= allocatable) return { bytes, end: Math.max(size, used) };
    const cause = `the disk is full: the reserve of ${file} has ${left} bytes, ${needed} are needed`;
    throw new GatewayError("BROKER_UNAVAILABLE", { cause });
  };

  return {
    cover: async (bytes, room) => {
      const ofCommit = costOf(bytes) + COMMIT_OVERHEAD;
      const needed = ofCommit + room.standing;
      if (left < needed) {
        const { bytes: least, end } = await missing(needed, room);
        if (least > 0) {
          const added = least + Math.max(0, Math.min(STEP, room.ahead));
          await lengthen(end, added);
          left += added;
        }
      }
      left -= ofCommit;
    },
    check: async (bytes, room) => {
      await missing(costOf(bytes) + COMMIT_OVERHEAD + room.standing, room);
    },
    close: async (used) => {
      const { size } = await handle.stat();
      if (used + STANDING < size) await handle.truncate(used + STANDING);
      await handle.close();
    },
  };
};
