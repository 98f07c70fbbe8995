/** The way to a file: the directories in which a change can give its path another content. */
import { readlinkSync } from "node:fs";
import path from "node:path";

export interface Way {
  /** The names that count in the directory. */
  readonly names: ReadonlySet<string>;
  /** A file, or a link on the way to it, is in the directory. false: only directories that can be replaced. */
  readonly hasFile: boolean;
}

/** By directory. */
export type Ways = ReadonlyMap<string, Way>;

/** Linux follows as many links in one path. */
const MAX_LINKS = 40;

const linkAt = (place: string): string | undefined => {
  try {
    return readlinkSync(place);
  } catch {
    return undefined;
  }
};

/**
 * The directory of each file, and of each symbolic link on the way to it, and the directory above it. The rest of a way behind
 * a missing directory is taken as it is written.
 */
export const waysTo = (files: Iterable<string>): Ways => {
  const ways = new Map<string, Way>();
  const addName = (place: string, isFile: boolean): void => {
    const directory = path.dirname(place);
    const present = ways.get(directory);
    const names = new Set(present?.names).add(path.basename(place));
    ways.set(directory, { names, hasFile: isFile || present?.hasFile === true });
  };
  /** The watch of a directory ends when it is replaced, so the directory counts as a name in the one above it. */
  const add = (place: string): void => {
    addName(place, true);
    const directory = path.dirname(place);
    if (path.dirname(directory) !== directory) addName(directory, false);
  };
  const follow = (file: string, links: number): void => {
    const { root } = path.parse(file);
    const parts = file.slice(root.length).split(path.sep);
    let directory = root;
    for (const [index, part] of parts.entries()) {
      const place = path.join(directory, part);
      const target = links > 0 ? linkAt(place) : undefined;
      if (target !== undefined) {
        add(place);
        follow(path.resolve(directory, target, ...parts.slice(index + 1)), links - 1);
        return;
      }
      directory = place;
    }
    add(file);
  };
  for (const file of files) follow(path.resolve(file), MAX_LINKS);
  return ways;
};
