/**
 * Tells when the contents of files change. It watches directories, because the watch of a file ends when the file or a link
 * on the way to it is replaced. It reacts only to the names on the ways to the files, and compares contents.
 */
import { createHash } from "node:crypto";
import { type FSWatcher, statSync, watch } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import type { Clock } from "../clock.ts";
import { type Way, waysTo, type Ways } from "./ways.ts";

/** The digest of each file's content by path. undefined: the file can't be read. */
export type Digests = ReadonlyMap<string, string | undefined>;

export const digestOf = (content: Buffer): string => createHash("sha256").update(content).digest("base64url");

export interface FileWatchOptions {
  readonly clock: Clock;
  /** Milliseconds without a further change of the files until `changed` is called. */
  readonly debounceMs: number;
  /** Milliseconds between two comparisons without an event. */
  readonly pollMs: number;
  /** The files have other contents than the known ones. */
  readonly changed: () => void;
  /** A directory of files can't be watched; they are only polled. Called once. */
  readonly onFault: (error: unknown) => void;
  /** Default: node's `watch`. */
  readonly watchDirectory?: WatchDirectory;
}

/** `changed` gets the name of the entry that has changed. null: the system does not give the name. Throws node's error. */
export type WatchDirectory = (directory: string, changed: (name: string | null) => void) => FSWatcher;

const watchByNode: WatchDirectory = (directory, changed) =>
  watch(directory, { persistent: false }, (_event, name) => {
    changed(name);
  });

export interface FileWatch {
  /** Replaces the files and their known contents. A change that happened before the call is found too. */
  know(digests: Digests): void;
  close(): void;
}

/** Milliseconds between an event and the comparison: one change causes several events. */
const GATHER_MS = 20;

export const watchFiles = (options: FileWatchOptions): FileWatch => {
  const { clock, debounceMs, pollMs, changed } = options;
  const directories = createDirectories(() => {
    lookSoon();
  }, options);
  let known: Digests = new Map();
  /** Contents that differ from the known ones, and for which the debounce time runs or `changed` was called. */
  let differing: string | undefined;
  let debounce: (() => void) | undefined;
  let soon: (() => void) | undefined;
  let looking = false;
  let isClosed = false;

  const compare = (contents: Digests): void => {
    const text = textOf(contents);
    if (text === differing) return;
    debounce?.();
    differing = text === textOf(known) ? undefined : text;
    debounce = differing === undefined ? undefined : clock.after(debounceMs, changed);
  };

  const look = async (): Promise<void> => {
    if (looking) {
      lookSoon();
      return;
    }
    looking = true;
    const asked = known;
    directories.watch(waysTo(asked.keys()));
    const contents = await digestsOf(asked.keys());
    looking = false;
    if (isClosed) return;
    if (asked === known) compare(contents);
    else lookSoon();
  };

  const lookSoon = (): void => {
    if (isClosed) return;
    soon ??= clock.after(GATHER_MS, () => {
      soon = undefined;
      void look();
    });
  };

  const endPoll = every(clock, pollMs, lookSoon);

  return {
    know: (digests) => {
      known = digests;
      debounce?.();
      debounce = differing = undefined;
      lookSoon();
    },
    close: () => {
      isClosed = true;
      for (const end of [debounce, soon, endPoll]) end?.();
      directories.watch(new Map());
    },
  };
};

/** Returns the function that ends the calls. */
const every = (clock: Clock, ms: number, action: () => void): (() => void) => {
  let cancel = (): void => undefined;
  const wait = (): void => {
    cancel = clock.after(ms, () => {
      action();
      wait();
    });
  };
  wait();
  return () => {
    cancel();
  };
};

const textOf = (digests: Digests): string => JSON.stringify([...digests]);

const digestsOf = async (files: Iterable<string>): Promise<Digests> =>
  new Map(await Promise.all([...files].map(async (file) => [file, await digestIn(file)] as const)));

/** A named pipe would block the read for ever. */
const digestIn = async (file: string): Promise<string | undefined> => {
  try {
    return (await stat(file)).isFile() ? digestOf(await readFile(file)) : undefined;
  } catch {
    return undefined;
  }
};

interface Watched {
  readonly watcher: FSWatcher;
  /** A directory that was replaced has another identity; its watcher is silent for ever. */
  readonly identity: string;
  names: ReadonlySet<string>;
}

/** Keeps one watcher for each directory of the ways. */
const createDirectories = (
  seen: () => void,
  { onFault, watchDirectory = watchByNode }: Pick<FileWatchOptions, "onFault" | "watchDirectory">,
) => {
  const watched = new Map<string, Watched>();
  let isReported = false;

  const drop = (directory: string): void => {
    watched.get(directory)?.watcher.close();
    watched.delete(directory);
  };

  const open = (directory: string, { names, hasFile }: Way): void => {
    try {
      const identity = identityOf(directory);
      if (identity === undefined) return;
      const watcher = watchDirectory(directory, (name) => {
        if (name === null || (watched.get(directory)?.names.has(name) ?? false)) seen();
      });
      watcher.on("error", () => {
        drop(directory);
        seen();
      });
      watched.set(directory, { watcher, identity, names });
    } catch (error) {
      // The poll finds a directory that was replaced.
      if (!hasFile || isReported) return;
      isReported = true;
      onFault(error);
    }
  };

  return {
    watch: (ways: Ways): void => {
      for (const [directory, { identity }] of [...watched])
        if (!ways.has(directory) || identityOf(directory) !== identity) drop(directory);
      for (const [directory, way] of ways) {
        const present = watched.get(directory);
        if (present === undefined) open(directory, way);
        else present.names = way.names;
      }
    },
  };
};

const identityOf = (directory: string): string | undefined => {
  try {
    const { dev, ino } = statSync(directory);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
};
