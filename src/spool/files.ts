/** The file system as the spool uses it. Tests hand in one that fails. */
import { mkdir, open, readdir, rename, rm, rmdir, stat, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { errnoOf } from "../lib/file-system.ts";

export interface SpoolFile {
  /** Writes all of the bytes at this position. */
  write(bytes: Buffer, at: number): Promise<void>;
  /** Resolves when all written bytes are on the disk. */
  sync(): Promise<void>;
  /** Resolves to at most `length` bytes; fewer at the end of the file. */
  read(at: number, length: number): Promise<Buffer>;
  size(): Promise<number>;
  truncate(size: number): Promise<void>;
  close(): Promise<void>;
}

/** All paths are absolute. The methods reject with node's errors. */
export interface SpoolFiles {
  /** Rejects if the file exists. */
  create(file: string): Promise<SpoolFile>;
  open(file: string): Promise<SpoolFile>;
  /** The names in a directory, sorted; none if there is no such directory. */
  list(directory: string): Promise<readonly string[]>;
  /** 0 if there is no such file. */
  size(file: string): Promise<number>;
  /** Creates the directory and its parents, and resolves when their entries are on the disk. */
  makeDirectory(directory: string): Promise<void>;
  /** Resolves when the directory's entries are on the disk. */
  syncDirectory(directory: string): Promise<void>;
  /** Replaces a file of the new name. */
  rename(file: string, name: string): Promise<void>;
  /** Does nothing if there is no such file. */
  remove(file: string): Promise<void>;
  /** Removes the directory if it is empty. */
  removeEmpty(directory: string): Promise<void>;
}

const fileOf = (handle: FileHandle): SpoolFile => ({
  write: async (bytes, at) => {
    for (let done = 0; done < bytes.length;)
      done += (await handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
  },
  sync: () => handle.datasync(),
  read: async (at, length) => {
    const bytes = Buffer.allocUnsafe(length);
    let read = 0;
    while (read < length) {
      const { bytesRead } = await handle.read(bytes, read, length - read, at + read);
      if (bytesRead === 0) break;
      read += bytesRead;
    }
    return bytes.subarray(0, read);
  },
  size: async () => (await handle.stat()).size,
  truncate: (size) => handle.truncate(size),
  close: () => handle.close(),
});

const syncDirectory = async (directory: string): Promise<void> => {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};

const makeDirectory = async (directory: string): Promise<void> => {
  try {
    await mkdir(directory);
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return;
    if (errnoOf(error) !== "ENOENT") throw error;
    await makeDirectory(path.dirname(directory));
    await mkdir(directory);
  }
  await syncDirectory(path.dirname(directory));
};

export const spoolFiles: SpoolFiles = {
  create: async (file) => fileOf(await open(file, "wx+", 0o600)),
  open: async (file) => fileOf(await open(file, "r+")),
  list: async (directory) => {
    try {
      return (await readdir(directory)).sort();
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    }
  },
  size: async (file) => {
    try {
      return (await stat(file)).size;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return 0;
      throw error;
    }
  },
  makeDirectory,
  syncDirectory,
  rename,
  remove: (file) => rm(file, { force: true }),
  removeEmpty: async (directory) => {
    try {
      await rmdir(directory);
    } catch (error) {
      if (errnoOf(error) !== "ENOTEMPTY" && errnoOf(error) !== "ENOENT") throw error;
    }
  },
};
