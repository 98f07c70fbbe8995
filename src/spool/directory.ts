/** The directory of the spool: its lock, and the folders of earlier runs. `docs/decisions/0008-spool.md` shows the layout. */
import path from "node:path";
import { GatewayError } from "../errors.ts";
import { type Clock, pause } from "../lib/clock.ts";
import { type DirectoryLock, lockDirectory } from "../lib/directory-lock.ts";
import { errnoOf } from "../lib/file-system.ts";
import type { SpoolFiles } from "./files.ts";
import { isUnfinished } from "./segment.ts";

export interface Folder {
  readonly path: string;
  readonly run: number;
  /** False: the process that wrote it has ended. */
  isLive: boolean;
}

/** What a folder has when its process has ended. */
export interface FolderContents {
  /** Bytes of all files. */
  readonly bytes: number;
  /** Topics that have segments. */
  readonly topics: readonly string[];
}

export interface FoundFolder extends FolderContents {
  readonly path: string;
}

type HeldLock = Extract<DirectoryLock, { readonly status: "locked" }>;

export interface OpenedDirectory {
  /** Higher than the run of each folder. */
  readonly run: number;
  readonly folders: readonly FoundFolder[];
  readonly lock: Pick<HeldLock, "fd" | "unlock">;
}

export const topicDirectory = (folder: string, topic: string): string => path.join(folder, "topics", topic);

export const folderName = (run: number, worker: number, life: number): string =>
  `${String(run).padStart(8, "0")}-${worker}-${life}`;

const FOLDER = /^(\d{8,})-\d+-\d+$/;

/** Rejects with SETTINGS_INVALID, whose text names the directory. */
export const openDirectory = async (
  directory: string,
  { files, clock }: { readonly files: SpoolFiles; readonly clock: Clock },
): Promise<OpenedDirectory> => {
  const lock = await lockWhenFree(directory, clock);
  try {
    await requireWritable(directory, files);
    const found = await foldersIn(directory, files);
    const folders: FoundFolder[] = [];
    for (const { path: folder } of found)
      folders.push({ path: folder, ...(await contentsOf(folder, files)) });
    const run = 1 + found.reduce((highest, folder) => Math.max(highest, folder.run), 0);
    return { run, folders, lock };
  } catch (error) {
    await lock.unlock();
    throw error;
  }
};

const invalid = (fault: string, cause?: unknown): GatewayError =>
  new GatewayError("SETTINGS_INVALID", { message: `spool.dir: ${fault}`, cause });

/** Milliseconds. The workers of a killed main process hold the lock until they end, which takes a moment. */
const LOCK_WAIT_MS = 10_000;
const LOCK_AGAIN_MS = 50;

const lockWhenFree = async (directory: string, clock: Clock): Promise<HeldLock> => {
  const until = clock.monotonic() + LOCK_WAIT_MS;
  for (;;) {
    const result = await lockDirectory(directory);
    if (result.status === "locked") return result;
    if (result.status === "unusable") throw invalid(`${directory} ${result.fault}`, result.cause);
    if (clock.monotonic() >= until) throw invalid(`another process uses the spool in ${directory}`);
    await pause(clock, LOCK_AGAIN_MS);
  }
};

const NOT_WRITABLE: readonly unknown[] = ["EACCES", "EPERM", "EROFS"];

/** A full disk is no fault of the settings: the spool may have events to drain. */
const requireWritable = async (directory: string, files: SpoolFiles): Promise<void> => {
  const probe = path.join(directory, "probe");
  try {
    await files.makeDirectory(probe);
    await files.removeEmpty(probe);
  } catch (cause) {
    const code = errnoOf(cause);
    if (NOT_WRITABLE.includes(code)) throw invalid(`${directory} cannot be written (${code})`, cause);
  }
};

/** The folders in the directory of a spool. */
export const foldersIn = async (
  directory: string,
  files: SpoolFiles,
): Promise<readonly Pick<Folder, "path" | "run">[]> =>
  (await files.list(directory)).flatMap((name) => {
    const run = FOLDER.exec(name)?.[1];
    return run === undefined ? [] : [{ path: path.join(directory, name), run: Number(run) }];
  });

/** Removes unfinished segments. Call it only for a folder that no process writes. */
export const contentsOf = async (folder: string, files: SpoolFiles): Promise<FolderContents> => {
  let bytes = await bytesIn(path.join(folder, "refused"), files);
  const topics: string[] = [];
  for (const topic of await files.list(path.join(folder, "topics"))) {
    const directory = topicDirectory(folder, topic);
    for (const name of (await files.list(directory)).filter(isUnfinished))
      await files.remove(path.join(directory, name));
    const segments = await bytesIn(directory, files);
    bytes += segments;
    if (segments > 0) topics.push(topic);
    else await files.removeEmpty(directory);
  }
  return { bytes, topics };
};

const bytesIn = async (directory: string, files: SpoolFiles): Promise<number> => {
  let bytes = 0;
  for (const name of await files.list(directory)) bytes += await files.size(path.join(directory, name));
  return bytes;
};

/**
 * Removes the empty directories of a folder that no process writes, and the folder itself if it has neither events nor refused
 * records. Resolves to the bytes that are left.
 */
export const removeIfEmpty = async (folder: string, files: SpoolFiles): Promise<number> => {
  const { bytes } = await contentsOf(folder, files);
  await files.removeEmpty(path.join(folder, "topics"));
  await files.removeEmpty(folder);
  return bytes;
};
