/** One process at a time in a directory. */
import { mkdir, open } from "node:fs/promises";
import path from "node:path";
import { tryLock } from "fs-native-extensions";
import { GatewayError } from "../../errors.ts";

/**
 * Takes the directory, making it where it doesn't exist; the returned function gives it back. Rejects with
 * SETTINGS_INVALID while another holder is alive. The lock is the kernel's, on an open file: it ends with its process,
 * however that ends, so there is nothing stale to clean up.
 */
export const lockDirectory = async (directory: string): Promise<() => Promise<void>> => {
  await mkdir(directory, { recursive: true });
  const file = await open(path.join(directory, "owner.lock"), "a");
  if (tryLock(file.fd)) return () => file.close();
  await file.close();
  throw new GatewayError("SETTINGS_INVALID", {
    message: `broker.embedded.dir: another process uses the log in ${directory}`,
  });
};
