/** Events that wait: in IndexedDB, where all tabs see them and a reload leaves them alone; in memory where that fails. */
import { openDatabase } from "./database.ts";
import { type Entry, isEntry } from "./entry.ts";
import type { Register } from "./register.ts";

/** What the browser won't keep, for want of room or by its settings, waits in memory. */
export interface Queue {
  /** Resolves with those for which there is no room beside what waits already, of all pages of this site. */
  readonly add: (entries: readonly Entry[]) => Promise<readonly Entry[]>;
  /**
   * The oldest entries that are not set aside: so many, and of so many bytes, but at least one. Rejects where the database
   * was there and can't be read now, and this page knows of no event; all else here never rejects.
   */
  readonly first: (most: number, bytes: number) => Promise<Entry[]>;
  readonly remove: (ids: readonly string[]) => Promise<void>;
  /** Their ids: the others go on without them. */
  readonly aside: Set<string>;
  /** Those that end with the page. */
  readonly unkept: () => readonly Entry[];
  readonly close: () => void;
}

/** Gathers entries up to both bounds; false: there is no more room. */
const createCut = (most: number, bytes: number, isPassed: (id: string) => boolean) => {
  const found = new Map<string, Entry>();
  let size = 0;
  return {
    take: (entry: unknown): boolean => {
      if (!isEntry(entry) || isPassed(entry.id) || found.has(entry.id)) return true;
      size += entry.bytes;
      const fits = found.size === 0 || (found.size < most && size <= bytes);
      if (fits) found.set(entry.id, entry);
      return fits;
    },
    all: () => [...found.values()],
  };
};

/** `pick` gives what is added, knowing how many are there. */
const addTo =
  (pick: (count: number) => readonly Entry[]) =>
  (store: IDBObjectStore): void => {
    const count = store.count();
    count.onsuccess = () => {
      for (const entry of pick(count.result)) store.add(entry);
      // At once: a transaction that waits for its page to commit it ends with the page. Older browsers can't.
      (store.transaction as Partial<IDBTransaction>).commit?.();
    };
  };

/** Hands over entries, the oldest first, for as long as `take` wants more. */
const readInto =
  (take: (entry: unknown) => boolean) =>
  (store: IDBObjectStore): void => {
    const cursor = store.openCursor();
    cursor.onsuccess = () => {
      if (cursor.result && take(cursor.result.value)) cursor.result.continue();
    };
  };

/** One id may be there twice, after a transaction that seemed to have failed. */
const deleteAll =
  (ids: Iterable<string>) =>
  (store: IDBObjectStore): void => {
    for (const id of ids) {
      const keys = store.index("id").getAllKeys(id);
      keys.onsuccess = () => {
        for (const key of keys.result) store.delete(key);
      };
    }
  };

const nothing = (): void => undefined;

/** `maxQueued` bounds what this page adds; what was accepted before always has room. */
export const openQueue = (
  name: string,
  maxQueued: number,
  { pending, isPending, doubt }: Register,
): Queue => {
  const { transact, wasThere, close } = openDatabase(name);
  const aside = new Set<string>();
  /** Have their outcomes, and could not be deleted. */
  const done = new Set<string>();
  let memory: readonly Entry[] = [];

  return {
    add: async (entries) => {
      // Earlier ones that didn't get there come first, for the order's sake.
      const all = [...memory, ...entries];
      let room = maxQueued - memory.length;
      let overflow = new Set<Entry>();
      memory = all;
      const adding = transact(
        "readwrite",
        addTo((count) => {
          room -= count;
          overflow = new Set(entries.filter(({ id }) => isPending(id) && room-- <= 0));
          return all.filter((entry) => !overflow.has(entry));
        }),
        () => {
          doubt(all);
        },
      );
      return adding.then(
        () => {
          const gone = new Set(all);
          memory = memory.filter((entry) => !gone.has(entry));
          return [...overflow];
        },
        () => [],
      );
    },
    first: async (most, bytes) => {
      const { take, all } = createCut(most, bytes, (id) => aside.has(id) || done.has(id));
      let own = memory;
      await transact("readonly", readInto(take)).catch((error: unknown) => {
        // What this page has sent it knows by heart.
        own = [...pending(), ...memory];
        if (wasThere() && own.length === 0) throw error;
      });
      own.every(take);
      return all();
    },
    remove: async (ids) => {
      for (const id of ids) if (!memory.some((entry) => entry.id === id)) done.add(id);
      memory = memory.filter(({ id }) => !ids.includes(id));
      const gone = new Set([...done, ...ids]);
      await transact("readwrite", deleteAll(gone)).then(() => {
        for (const id of gone) done.delete(id);
      }, nothing);
    },
    aside,
    unkept: () => memory,
    close,
  };
};
