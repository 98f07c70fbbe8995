/** A directory that one process uses alone. */
import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import { tryLock } from "fs-native-extensions";
import { errnoOf, makeDirectory } from "./file-system.ts";

export type DirectoryLock =
  /** A child process that inherits the file `fd` holds the lock too, until it ends. */
  | { readonly status: "locked"; readonly fd: number; readonly unlock: () => Promise<void> }
  /** Another process holds the lock. */
  | { readonly status: "in use" }
  /** `fault` is a predicate with the system's error code, such as `cannot be written (EACCES)`. */
  | { readonly status: "unusable"; readonly fault: string; readonly cause: unknown };

/**
 * Locks the directory for this process, and creates it if it is missing. The kernel holds the lock on an open file and
 * releases it when the process ends, so a stale lock is impossible.
 */
export const lockDirectory = async (directory: string): Promise<DirectoryLock> => {
  let file: FileHandle;
  let fault = "cannot be created";
  try {
    makeDirectory(directory);
    fault = "cannot be written";
    file = await open(path.join(directory, "owner.lock"), "a");
  } catch (cause) {
    return { status: "unusable", fault: `${fault} (${errnoOf(cause) ?? "unknown reason"})`, cause };
  }
  if (tryLock(file.fd)) return { status: "locked", fd: file.fd, unlock: () => file.close() };
  await file.close();
  return { status: "in use" };
};
