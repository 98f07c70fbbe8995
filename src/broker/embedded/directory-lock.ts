/** One process at a time in a directory. */
import { open, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { tryLock } from "fs-native-extensions";
import { GatewayError } from "../../errors.ts";
import { errnoOf } from "../../lib/errno.ts";
import { makeDirectory } from "../../lib/make-directory.ts";

/**
 * Takes the directory, making it where it doesn't exist; the returned function gives it back. Rejects with
 * SETTINGS_INVALID while another holder is alive, and where the directory can't be made or written. The lock is the kernel's, on an open file: it ends with its process,
 * however that ends, so there is nothing stale to clean up.
 */
export const lockDirectory = async (directory: string): Promise<() => Promise<void>> => {
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
