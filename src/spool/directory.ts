/** The directory of the spool: its lock, and the folders of earlier runs. `docs/decisions/0008-spool.md` shows the layout. */
import path from "node:path";
import { GatewayError } from "../errors.ts";
import { lockDirectory } from "../lib/directory-lock.ts";
import { errnoOf } from "../lib/file-system.ts";
import type { SpoolFiles } from "./files.ts";
import type { Room } from "./room.ts";
import { isUnfinished } from "./segment.ts";

export interface Folder {
  readonly path: string;
  readonly run: number;
  /** False: the process that wrote it has ended. */
  isLive: boolean;
}

export interface OpenedDirectory {
  /** Higher than the run of each folder. */
  readonly run: number;
  readonly folders: readonly Folder[];
  /** Topics of which a folder has segments. */
  readonly topics: ReadonlySet<string>;
  readonly unlock: () => Promise<void>;
}

export const topicDirectory = (folder: string, topic: string): string => path.join(folder, "topics", topic);

export const folderName = (run: number, worker: number, life: number): string =>
  `${String(run).padStart(8, "0")}-${worker}-${life}`;

const FOLDER = /^(\d{8,})-\d+-\d+$/;

/** The folders in the directory, in the order of their runs. */
export const foldersIn = async (
  directory: string,
  files: SpoolFiles,
): Promise<readonly Pick<Folder, "path" | "run">[]> =>
  (await files.list(directory)).flatMap((name) => {
    const run = FOLDER.exec(name)?.[1];
    return run === undefined ? [] : [{ path: path.join(directory, name), run: Number(run) }];
  });

/** Rejects with SETTINGS_INVALID, whose text names the directory. The bytes on the disk are added to `room`. */
export const openDirectory = async (
  directory: string,
  files: SpoolFiles,
  room: Room,
): Promise<OpenedDirectory> => {
  const unlock = await lock(directory);
  try {
    await requireWritable(directory, files);
    const folders: Folder[] = [];
    const topics = new Set<string>();
    for (const found of await foldersIn(directory, files)) {
      const folder = { ...found, isLive: false };
      for (const topic of await count(folder.path, files, room)) topics.add(topic);
      folders.push(folder);
    }
    const run = 1 + folders.reduce((highest, folder) => Math.max(highest, folder.run), 0);
    return { run, folders, topics, unlock };
  } catch (error) {
    await unlock();
    throw error;
  }
};

const invalid = (fault: string, cause?: unknown): GatewayError =>
  new GatewayError("SETTINGS_INVALID", { message: `spool.dir: ${fault}`, cause });

const lock = async (directory: string): Promise<() => Promise<void>> => {
  const result = await lockDirectory(directory);
  if (result.status === "locked") return result.unlock;
  throw result.status === "in use"
    ? invalid(`another process uses the spool in ${directory}`)
    : invalid(`${directory} ${result.fault}`, result.cause);
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

/** Adds the folder's bytes to `room`, and returns the topics that have segments. */
const count = async (folder: string, files: SpoolFiles, room: Room): Promise<readonly string[]> => {
  const add = async (file: string): Promise<void> => {
    room.found(await files.size(file));
  };
  const refused = path.join(folder, "refused");
  for (const name of await files.list(refused)) await add(path.join(refused, name));
  const found: string[] = [];
  for (const topic of await files.list(path.join(folder, "topics"))) {
    const directory = topicDirectory(folder, topic);
    for (const name of (await files.list(directory)).filter(isUnfinished))
      await files.remove(path.join(directory, name));
    const segments = await files.list(directory);
    for (const name of segments) await add(path.join(directory, name));
    if (segments.length > 0) found.push(topic);
    else await files.removeEmpty(directory);
  }
  return found;
};

/** Removes the folder of a process that has ended, if it has neither events nor refused records. */
export const removeIfEmpty = async ({ path: folder }: Folder, files: SpoolFiles): Promise<boolean> => {
  for (const topic of await files.list(path.join(folder, "topics")))
    await files.removeEmpty(topicDirectory(folder, topic));
  await files.removeEmpty(path.join(folder, "topics"));
  await files.removeEmpty(folder);
  return (await files.list(folder)).length === 0;
};
