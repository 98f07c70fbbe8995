/** LMDB's table of readers, a file beside the log. */
import { open } from "node:fs/promises";

/** What LMDB makes it for 126 readers is a little more than two pages. */
const BYTES = 4 * 4096;
const BLOCK = 512;

/**
 * Gives the file its blocks on the disk before LMDB maps it: in a file with holes the first reader on a full disk would end
 * the process by a signal. The directory must be this process's alone. Rejects where the disk has no room.
 */
export const fillLockFile = async (path: string): Promise<void> => {
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
