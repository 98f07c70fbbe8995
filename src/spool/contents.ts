/**
 * What the directory of the spool holds, by the heads of its segments. So it is true for the folders of all processes, also of
 * those that were killed. It costs a few reads for each segment, whatever the number of events is.
 */
import path from "node:path";
import { errnoOf } from "../lib/file-system.ts";
import { foldersIn, topicDirectory } from "./directory.ts";
import { TIME_AT } from "./entry.ts";
import type { SpoolFiles } from "./files.ts";
import { readHead, segmentsIn } from "./segment.ts";

export interface SpoolContents {
  /** Bytes of all files, with those in `refused/`. */
  readonly bytes: number;
  /** Events that are not drained. */
  readonly events: number;
  /** When the oldest of these events was spooled, in milliseconds since the epoch; undefined: there are no events. */
  readonly oldest: number | undefined;
}

const NOTHING: SpoolContents = { bytes: 0, events: 0, oldest: undefined };

const sum = (all: readonly SpoolContents[]): SpoolContents =>
  all.reduce(
    (one, other) => ({
      bytes: one.bytes + other.bytes,
      events: one.events + other.events,
      oldest: earlier(one.oldest, other.oldest),
    }),
    NOTHING,
  );

const earlier = (one: number | undefined, other: number | undefined): number | undefined =>
  one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);

/** Rejects with node's error. Files that are removed meanwhile don't count. */
export const readContents = async (directory: string, files: SpoolFiles): Promise<SpoolContents> => {
  const all: SpoolContents[] = [];
  for (const { path: folder } of await foldersIn(directory, files)) {
    const refused = path.join(folder, "refused");
    for (const name of await files.list(refused))
      all.push(await bytesOf(path.join(refused, name), files).catch(nothingIfRemoved));
    for (const topic of await files.list(path.join(folder, "topics")))
      all.push(await contentsOf(topicDirectory(folder, topic), files));
  }
  return sum(all);
};

const contentsOf = async (directory: string, files: SpoolFiles): Promise<SpoolContents> => {
  const all: SpoolContents[] = [];
  for (const name of segmentsIn(await files.list(directory)))
    all.push(await contentsOfSegment(path.join(directory, name), files).catch(nothingIfRemoved));
  return sum(all);
};

const bytesOf = async (name: string, files: SpoolFiles): Promise<SpoolContents> => ({
  ...NOTHING,
  bytes: await files.size(name),
});

const nothingIfRemoved = (error: unknown): SpoolContents => {
  if (errnoOf(error) === "ENOENT") return NOTHING;
  throw error;
};

const contentsOfSegment = async (name: string, files: SpoolFiles): Promise<SpoolContents> => {
  const file = await files.open(name);
  try {
    const { cursor, done, count } = await readHead(file);
    const bytes = await file.size();
    if (count <= done) return { ...NOTHING, bytes };
    const time = await file.read(cursor + TIME_AT, 8);
    return { bytes, events: count - done, oldest: time.length < 8 ? undefined : time.readDoubleBE() };
  } finally {
    await file.close();
  }
};
