/** The queued events: in IndexedDB, which survives reloads and which all tabs share; in memory if IndexedDB fails. */
import { openDatabase } from "./database.ts";
import { type Entry, isEntry } from "./entry.ts";
import type { Register } from "./register.ts";

export interface Queue {
  /** Resolves with the entries that exceed `maxQueued`, which counts the events of all pages of this site. */
  readonly add: (entries: readonly Entry[]) => Promise<readonly Entry[]>;
  /**
   * The oldest entries that are not set aside: at most `most`, and at most `bytes` but at least one. Rejects if the database
   * worked before, can't be read now, and this page has no pending event. The other methods never reject.
   */
  readonly first: (most: number, bytes: number) => Promise<Entry[]>;
  readonly remove: (ids: readonly string[]) => Promise<void>;
  /** Ids of the events that are set aside: the events after them are sent first. */
  readonly aside: Set<string>;
  /** The entries in memory, which end with the page. */
  readonly unkept: () => readonly Entry[];
  readonly close: () => void;
}

/** Collects entries up to both limits. `take` returns false if the entry does not fit. */
const createCut = (most: number, bytes: number, isSkipped: (id: string) => boolean) => {
  const found = new Map<string, Entry>();
  let size = 0;
  return {
    take: (entry: unknown): boolean => {
      if (!isEntry(entry) || isSkipped(entry.id) || found.has(entry.id)) return true;
      size += entry.bytes;
      const fits = found.size === 0 || (found.size < most && size <= bytes);
      if (fits) found.set(entry.id, entry);
      return fits;
    },
    all: () => [...found.values()],
  };
};

/** Adds the entries that `pick` returns for the number of stored events. */
const addTo =
  (pick: (count: number) => readonly Entry[]) =>
  (store: IDBObjectStore): void => {
    const count = store.count();
    count.onsuccess = () => {
      for (const entry of pick(count.result)) store.add(entry);
      // Commits at once, because an uncommitted transaction ends with the page. Older browsers lack `commit`.
      (store.transaction as Partial<IDBTransaction>).commit?.();
    };
  };

/** Reads the entries, the oldest first, until `take` returns false. */
const readInto =
  (take: (entry: unknown) => boolean) =>
  (store: IDBObjectStore): void => {
    const cursor = store.openCursor();
    cursor.onsuccess = () => {
      if (cursor.result && take(cursor.result.value)) cursor.result.continue();
    };
  };

/** Deletes all entries with these ids. An id is stored twice if a transaction completed after its timeout. */
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

/** `maxQueued` limits new events. Events that were accepted before are always stored. */
export const openQueue = (
  name: string,
  maxQueued: number,
  { pending, isPending, doubt }: Register,
): Queue => {
  const { transact, wasThere, close } = openDatabase(name);
  const aside = new Set<string>();
  /** Ids of events that have outcomes and could not be deleted. */
  const done = new Set<string>();
  let memory: readonly Entry[] = [];

  return {
    add: async (entries) => {
      // Entries that could not be stored before come first, to keep the order.
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
        // The page still has its own pending events.
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
