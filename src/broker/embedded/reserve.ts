/**
 * Blocks of the disk that the log's file has before LMDB writes them. A write that fails for lack of space corrupts
 * LMDB's heap (it prints the failure into a buffer that is too short), and other programs fill disks at any moment. So the
 * file is lengthened first, by writes of our own, whose failure is only an error.
 */
import { open } from "node:fs/promises";
import { GatewayError } from "../../errors.ts";
import { costOf } from "./disk-space.ts";

export interface ReserveOptions {
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
